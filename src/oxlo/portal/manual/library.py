"""The pages of the documentation, and their order in `docs/index.md`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

#: The files in an installed package, and in a checkout.
_PACKAGED = Path(__file__).with_name("files")
_CHECKOUT = Path(__file__).parents[4]
#: Files outside `docs/` that are served as pages too.
_OUTSIDE_DOCS = {
    "changelog": "CHANGELOG.md",
    "contributing": "CONTRIBUTING.md",
    "security": "SECURITY.md",
}
#: Decision records are linked from the architecture page only: there are too many for the sidebar.
_UNLISTED = "decisions/"

#: The first sidebar heading with pages for operators.
RUNNING = "Running it"
#: Pages before the first heading.
_START = (("", "Overview"), ("quickstart", "Quickstart"))

_HEADING = re.compile(r"^## (.+)$")
_LINK = re.compile(r"^\| \[([^\]]+)\]\(([^)#]+\.md)\) \|")
_TITLE = re.compile(r"^# (.+)$", re.MULTILINE)
#: Base URL in the files, replaced by the installation's.
WRITTEN_BASE = "http://127.0.0.1:8000"


@dataclass(frozen=True, slots=True)
class Entry:
    """A page: slug, title and file."""

    slug: str
    title: str
    file: Path

    @property
    def address(self) -> str:
        """Path of the page."""
        return f"/docs/{self.slug}" if self.slug else "/docs"


@dataclass(frozen=True)
class Library:
    """The documentation below a root folder that contains `docs/`."""

    root: Path
    base_url: str

    @classmethod
    def here(cls, base_url: str) -> "Library":
        """The documentation of this installation; `base_url` is put into its pages."""
        return cls(_PACKAGED if _PACKAGED.is_dir() else _CHECKOUT, base_url)

    @cached_property
    def pages(self) -> Mapping[str, Entry]:
        """All pages by slug."""
        docs = self.root / "docs"
        files = {self._slug(file.relative_to(docs)): file for file in sorted(docs.rglob("*.md"))}
        files |= {slug: self.root / name for slug, name in _OUTSIDE_DOCS.items()}
        return {
            slug: Entry(slug, _title(file), file) for slug, file in files.items() if file.is_file()
        }

    @cached_property
    def sections(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """The sidebar: headings, each with (slug, title) pairs."""
        sections: list[tuple[str, list[tuple[str, str]]]] = [("Start", list(_START))]
        for line in self.pages[""].file.read_text().splitlines() if "" in self.pages else ():
            if heading := _HEADING.match(line):
                sections.append((heading[1], []))
            elif (link := _LINK.match(line)) and (slug := self.slug_of("", link[2])) is not None:
                sections[-1][1].append((slug, link[1]))
        listed_slugs = {slug for _, listed in sections for slug, _ in listed}
        rest = [
            (slug, entry.title)
            for slug, entry in self.pages.items()
            if slug not in listed_slugs and not slug.startswith(_UNLISTED)
        ]
        return [(name, listed) for name, listed in (*sections, ("More", rest)) if listed]

    def text(self, entry: Entry) -> str:
        """A page as Markdown, with the installation's base URL."""
        return entry.file.read_text().replace(WRITTEN_BASE, self.base_url)

    def slug_of(self, page: str, link: str) -> str | None:
        """The page that a relative link on `page` points to; None if it is not a page."""
        target = self.resolve(page, link)
        if target is None or target.suffix != ".md":
            return None
        inside = target.parts[:1] == ("docs",)
        slug = self._slug(PurePosixPath(*target.parts[1:])) if inside else target.stem.lower()
        return slug if slug in self.pages else None

    def resolve(self, page: str, link: str) -> PurePosixPath | None:
        """Resolve a relative link to a path below the root; None if it points outside."""
        here = ["docs", *PurePosixPath(page).parent.parts] if page else ["docs"]
        if page in _OUTSIDE_DOCS:
            here = []
        for part in PurePosixPath(link).parts:
            if part != "..":
                here.append(part)
            elif here:
                here.pop()
            else:
                return None
        return PurePosixPath(*here)

    @staticmethod
    def _slug(relative: Path | PurePosixPath) -> str:
        slug = relative.with_suffix("").as_posix()
        return "" if slug == "index" else slug


def _title(file: Path) -> str:
    match = _TITLE.search(file.read_text())
    return match[1].replace("`", "") if match else file.stem
