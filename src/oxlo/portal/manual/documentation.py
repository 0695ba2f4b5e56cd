"""The rendered documentation, with its search index."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from oxlo.errors import NotFound
from oxlo.portal.manual.library import Entry, Library
from oxlo.portal.manual.naming import Names, replace_models
from oxlo.portal.manual.rendering import Rendered, Section, render
from oxlo.portal.manual.search import Index, Result

#: Media types of images.
PICTURES = {".png": "image/png", ".svg": "image/svg+xml", ".jpg": "image/jpeg"}
_MAX_CACHED = 500


@dataclass(frozen=True)
class Documentation:
    """A library whose pages are rendered on demand and cached."""

    library: Library
    _rendered: dict[tuple[str, Names], Rendered] = field(default_factory=dict)

    def entry(self, slug: str) -> Entry:
        """The page with this slug. Raises NotFound."""
        try:
            return self.library.pages[slug]
        except KeyError:
            raise NotFound(
                "The documentation has no such page. Search it at /docs/search."
            ) from None

    def text(self, slug: str, names: Names = ()) -> str:
        """A page as Markdown, with model names replaced. Raises NotFound."""
        return replace_models(self.library.text(self.entry(slug)), names)

    def rendered(self, slug: str, names: Names = ()) -> Rendered:
        """A page as HTML, with model names replaced. Raises NotFound."""
        key = slug, names
        known = self._rendered.get(key)
        if known is None:
            if len(self._rendered) > _MAX_CACHED:
                self._rendered.clear()  # bounded: each set of ready models caches its own pages
            text = self.text(slug, names)
            known = self._rendered[key] = render(text, lambda link: self.resolve_link(slug, link))
        return known

    def resolve_link(self, page: str, link: str) -> str | None:
        """Resolve a link on a page to a page, image or external URL; None if it has no target."""
        if "://" in link or link.startswith(("#", "mailto:", "/")):
            return link
        path, _, fragment = link.partition("#")
        slug = self.library.slug_of(page, path)
        if slug is not None:
            address = self.library.pages[slug].address
            return f"{address}#{fragment}" if fragment else address
        target = self.library.resolve(page, path)
        if target is not None and target.suffix in PICTURES and target.parts[0] == "docs":
            return f"/{target}"
        return None

    def picture(self, name: str) -> Path:
        """File of an image. Raises NotFound."""
        docs = (self.library.root / "docs").resolve()
        file = (docs / name).resolve()
        if file.suffix in PICTURES and file.is_relative_to(docs) and file.is_file():
            return file
        raise NotFound

    def find(self, query: str) -> list[Result]:
        """Search the pages. Thread-safe; the first call builds the index."""
        return self.index.find(query)

    @cached_property
    def index(self) -> Index:
        """The search index of all pages, built on first use."""
        return Index(
            (entry.title, entry.address, self._sections(slug))
            for slug, entry in self.library.pages.items()
        )

    def _sections(self, slug: str) -> list[Section]:
        return self.rendered(slug).sections
