"""Which pages the documentation has: the files, and their order as `docs/index.md` lists them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

#: Where an installed package keeps its copy, and where a checkout has the files themselves.
_PACKAGED = Path(__file__).with_name("files")
_CHECKOUT = Path(__file__).parents[4]
#: Files beside `docs/` that its pages lead to.
_BESIDE = {
    "changelog": "CHANGELOG.md",
    "contributing": "CONTRIBUTING.md",
    "security": "SECURITY.md",
}
#: Decisions are read from the architecture's page: they would drown the list.
_UNLISTED = "decisions/"

#: The heading of the list from which on pages are for operators.
RUNNING = "Running it"
#: What comes before that list.
_START = (("", "Overview"), ("quickstart", "Quickstart"))

_HEADING = re.compile(r"^## (.+)$")
_LINK = re.compile(r"^\| \[([^\]]+)\]\(([^)#]+\.md)\) \|")
_TITLE = re.compile(r"^# (.+)$", re.MULTILINE)
#: The address in the files, which readers see as their own.
WRITTEN_BASE = "http://127.0.0.1:8000"


@dataclass(frozen=True, slots=True)
class Entry:
    """One page: its place in addresses, its title, and its file."""

    slug: str
    title: str
    file: Path

    @property
    def address(self) -> str:
        """Where it is served."""
        return f"/docs/{self.slug}" if self.slug else "/docs"


@dataclass(frozen=True)
class Library:
    """The pages of one folder that holds `docs/`."""

    root: Path
    base_url: str

    @classmethod
    def here(cls, base_url: str) -> "Library":
        """Those of this installation; `base_url` is put into them."""
        return cls(_PACKAGED if _PACKAGED.is_dir() else _CHECKOUT, base_url)

    @cached_property
    def pages(self) -> Mapping[str, Entry]:
        """All pages by slug."""
        docs = self.root / "docs"
        files = {self._slug(file.relative_to(docs)): file for file in sorted(docs.rglob("*.md"))}
        files |= {slug: self.root / name for slug, name in _BESIDE.items()}
        return {
            slug: Entry(slug, _title(file), file) for slug, file in files.items() if file.is_file()
        }

    @cached_property
    def sections(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """The sidebar: headings, each with (slug, name) of its pages."""
        found: list[tuple[str, list[tuple[str, str]]]] = [("Start", list(_START))]
        for line in self.pages[""].file.read_text().splitlines() if "" in self.pages else ():
            if heading := _HEADING.match(line):
                found.append((heading[1], []))
            elif (link := _LINK.match(line)) and (slug := self.slug_of("", link[2])) is not None:
                found[-1][1].append((slug, link[1]))
        named = {slug for _, listed in found for slug, _ in listed}
        rest = [
            (slug, entry.title)
            for slug, entry in self.pages.items()
            if slug not in named and not slug.startswith(_UNLISTED)
        ]
        return [(name, listed) for name, listed in (*found, ("More", rest)) if listed]

    def text(self, entry: Entry) -> str:
        """A page as Markdown, with this installation's address in it."""
        return entry.file.read_text().replace(WRITTEN_BASE, self.base_url)

    def slug_of(self, page: str, link: str) -> str | None:
        """The page that a relative link on `page` leads to; None where it leads to none."""
        target = self.resolve(page, link)
        if target is None or target.suffix != ".md":
            return None
        inside = target.parts[:1] == ("docs",)
        slug = self._slug(PurePosixPath(*target.parts[1:])) if inside else target.stem.lower()
        return slug if slug in self.pages else None

    def resolve(self, page: str, link: str) -> PurePosixPath | None:
        """A relative link as a path below the root; None where it leaves it."""
        here = ["docs", *PurePosixPath(page).parent.parts] if page else ["docs"]
        if page in _BESIDE:
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
    found = _TITLE.search(file.read_text())
    return found[1].replace("`", "") if found else file.stem
