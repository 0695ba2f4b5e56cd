"""Full-text search of the documentation, in memory. Pure."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from markupsafe import Markup, escape

from oxlo.portal.manual.rendering import Section

#: Maximum number of results.
MAX_RESULTS = 30
_CONTEXT = 90
_TERM = re.compile(r"[\w./-]+")


class Result(NamedTuple):
    """A search result: a section of a page."""

    title: str
    heading: str
    address: str
    #: Text around the first match, with matches marked.
    excerpt: Markup


class _Indexed(NamedTuple):
    title: str
    address: str
    section: Section
    haystack: str


class Index:
    """An index of sections by their words."""

    def __init__(self, pages: Iterable[tuple[str, str, Iterable[Section]]]) -> None:
        """`pages` are (title, path, sections)."""
        self._sections = [
            _Indexed(title, address, section, f"{title} {section.heading} {section.text}".lower())
            for title, address, sections in pages
            for section in sections
        ]

    def find(self, query: str) -> list[Result]:
        """Sections that contain every term, best first."""
        terms = _TERM.findall(query.lower())[:8]
        if not terms:
            return []
        scored = [
            (_score(one, terms), one)
            for one in self._sections
            if all(term in one.haystack for term in terms)
        ]
        scored.sort(key=lambda item: -item[0])
        return [_hit(one, terms) for _, one in scored[:MAX_RESULTS]]


def _score(one: _Indexed, terms: list[str]) -> float:
    """A match in the title weighs more than in the heading, and that more than in the text."""
    title, heading, text = one.title.lower(), one.section.heading.lower(), one.section.text.lower()
    return (
        sum(
            8 * (term in title) + 6 * (term in heading) + min(text.count(term), 4) for term in terms
        )
        - len(text) / 20_000
    )


def _hit(one: _Indexed, terms: list[str]) -> Result:
    anchor = f"#{one.section.anchor}" if one.section.anchor else ""
    return Result(
        one.title, one.section.heading, one.address + anchor, _excerpt(one.section.text, terms)
    )


def _excerpt(text: str, terms: list[str]) -> Markup:
    lower = text.lower()
    first = min((at for term in terms if (at := lower.find(term)) >= 0), default=0)
    start, end = _context_bounds(text, first)
    cut = " ".join(text[start:end].split())
    marked = re.split(f"({'|'.join(map(re.escape, terms))})", cut, flags=re.IGNORECASE)
    pieces = [
        Markup("<mark>{}</mark>").format(piece) if place % 2 else escape(piece)
        for place, piece in enumerate(marked)
    ]
    before = Markup("\u2026 ") if start else Markup("")
    after = Markup(" \u2026") if end < len(text) else Markup("")
    return before + Markup("").join(pieces) + after


def _context_bounds(text: str, at: int) -> tuple[int, int]:
    """Bounds of the text around a position, extended to whole words."""
    start, end = max(0, at - _CONTEXT), at + 2 * _CONTEXT
    if start:
        start = text.find(" ", start, at) + 1 or at
    if end < len(text):
        end = max(text.rfind(" ", at, end), at + 1)
    return start, end
