"""Generates the tables of docs/api/parameters.md: `python scripts/parameters_doc.py`."""

import re
from pathlib import Path

from oxlo.catalogue import Parameter
from oxlo.catalogue.abilities import said, shared

PAGE = Path(__file__).parent.parent / "docs" / "api" / "parameters.md"

#: Headings, the endpoints' pages, and the abilities whose parameters are listed.
_SECTIONS = (
    ("Chat and completions", "chat.md", {"chat", "tools", "json", "logprobs", "reasoning"}),
    ("Embeddings", "embeddings.md", {"embeddings"}),
    ("Images", "images.md", {"images"}),
    ("Edits of images", "images.md#edits", {"image_edits"}),
    ("Transcription and translation", "transcription.md", {"transcription"}),
    ("Speech", "speech.md", {"speech"}),
    ("Detection", "detection.md", {"detection"}),
)
_TABLE_HEAD = "| parameter | type | range | default | section | meaning |\n" + "|---" * 6 + "|\n"
_TABLES = re.compile(r"(?<=<!-- parameters -->\n).*(?=<!-- /parameters -->)", re.DOTALL)


def page(text: str) -> str:
    """Return the page with its tables regenerated."""
    tables = "".join(_section(*section) for section in _SECTIONS)
    return _TABLES.sub(lambda _: f"{tables}\n", text)


def _section(title: str, more: str, abilities: set[str]) -> str:
    rows = "".join(_row(name, one) for name, one in _own(abilities).items())
    return f"\n## {title}\n\nMore: [{more.partition('.')[0]}]({more}).\n\n{_TABLE_HEAD}{rows}"


def _own(abilities: set[str]) -> dict[str, Parameter]:
    """The parameters of edits beyond those of images, which they accept too."""
    others = said({"images"}) if "image_edits" in abilities else {}
    return {name: one for name, one in shared(abilities).items() if name not in others}


def _row(name: str, one: Parameter) -> str:
    cells = (f"`{name}`", one.type, _range(one), _default(one), one.section, one.description)
    return f"| {' | '.join(cells)} |\n"


def _range(one: Parameter) -> str:
    if one.choices:
        return ", ".join(f"`{choice}`" for choice in one.choices)
    if one.min is None or one.max is None:
        return ""
    span = f"{_number(one.min)} to {_number(one.max)}"
    return f"{span} items" if one.type in ("array", "object") else span


def _default(one: Parameter) -> str:
    if one.default is None or one.default == "":
        return ""
    if isinstance(one.default, bool):
        return f"`{str(one.default).lower()}`"
    return f"`{one.default}`" if isinstance(one.default, str) else f"{one.default:g}"


def _number(value: float) -> str:
    return f"{int(value):,}" if value == int(value) else f"{value:g}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
