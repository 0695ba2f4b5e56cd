"""A parsed page: its elements, and whether they are properly nested."""

from html.parser import HTMLParser

_VOID = frozenset(
    [
        "area",
        "base",
        "br",
        "col",
        "embed",
        "hr",
        "img",
        "input",
        "link",
        "meta",
        "source",
        "track",
        "wbr",
    ]
)
#: Elements of SVG that are written without an end tag of their own, as XML allows.
_XML = frozenset(["circle", "line", "path", "polyline", "rect"])


class Markup(HTMLParser):
    """The elements of a page in order; `problems` lists those that are not closed properly."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.problems: list[str] = []
        self._open: list[str] = []

    @classmethod
    def of(cls, text: str) -> "Markup":
        """Parse a page."""
        markup = cls()
        markup.feed(text)
        markup.close()
        markup.problems += [f"<{tag}> is not closed" for tag in markup._open]
        return markup

    def values(self, tag: str, attribute: str) -> list[str]:
        """An attribute's value in each element of a kind that has it."""
        return [
            given[attribute] for name, given in self.elements if name == tag and attribute in given
        ]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record an opened element."""
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record a self-closing element, which only SVG may have."""
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in _XML | _VOID:
            self.problems.append(f"<{tag}/> is not HTML")

    def handle_endtag(self, tag: str) -> None:
        """Close the innermost open element."""
        if not self._open or self._open[-1] != tag:
            where = self._open[-1:] or ["nothing"]
            self.problems.append(f"</{tag}> closes <{where[0]}> (line {self.getpos()[0]})")
        else:
            self._open.pop()
