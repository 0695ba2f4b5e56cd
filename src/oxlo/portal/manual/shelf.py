"""The documentation as it is served: pages rendered once, and an index of them."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from oxlo.errors import NotFound
from oxlo.portal.manual.library import Entry, Library
from oxlo.portal.manual.naming import Names, renamed
from oxlo.portal.manual.rendering import Rendered, Section, render
from oxlo.portal.manual.search import Found, Index

#: What a page shows besides text.
PICTURES = {".png": "image/png", ".svg": "image/svg+xml", ".jpg": "image/jpeg"}
_MOST_KEPT = 500


@dataclass(frozen=True)
class Shelf:
    """One library, rendered as it is asked for."""

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
        """A page as Markdown, with these models in its examples. Raises NotFound."""
        return renamed(self.library.text(self.entry(slug)), names)

    def rendered(self, slug: str, names: Names = ()) -> Rendered:
        """The same as HTML. Raises NotFound."""
        key = slug, names
        known = self._rendered.get(key)
        if known is None:
            if len(self._rendered) > _MOST_KEPT:
                self._rendered.clear()  # models come and go, and pages with them
            text = self.text(slug, names)
            known = self._rendered[key] = render(text, lambda link: self.leads(slug, link))
        return known

    def leads(self, page: str, link: str) -> str | None:
        """Where a link on a page leads to: a page, a picture, or elsewhere; None: nowhere."""
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
        """A picture's file. Raises NotFound."""
        docs = (self.library.root / "docs").resolve()
        file = (docs / name).resolve()
        if file.suffix in PICTURES and file.is_relative_to(docs) and file.is_file():
            return file
        raise NotFound

    def find(self, query: str) -> list[Found]:
        """What the search finds; threads may ask. The first one makes the index."""
        return self.index.find(query)

    @cached_property
    def index(self) -> Index:
        """The index of all pages; made on its first use."""
        return Index(
            (entry.title, entry.address, self._sections(slug))
            for slug, entry in self.library.pages.items()
        )

    def _sections(self, slug: str) -> list[Section]:
        return self.rendered(slug).sections
