"""Generates the table of docs/models.md from the catalogue: `python scripts/models_doc.py`."""

import re
from pathlib import Path

from oxlo import catalogue
from oxlo.catalogue import Model, Variant
from oxlo.hardware.cards import CARDS

PAGE = Path(__file__).parent.parent / "docs" / "models.md"

_TABLE = re.compile(r"(?<=<!-- models -->\n).*(?=<!-- /models -->)", re.DOTALL)
_HEAD = "| id | is | category | tier | context | licence | hardware |\n" + "|---" * 7 + "|\n"
_CATEGORIES = ("chat", "code", "vision", "image", "audio", "embeddings", "detection")
_TIERS = ("free", "pro", "premium")
_HARDWARE = ("cpu", *CARDS)


def page(text: str) -> str:
    """Return the page with its table regenerated."""
    rows = map(_row, sorted(catalogue.load(), key=_place))
    table = f"\n{_HEAD}{''.join(rows)}\n"
    return _TABLE.sub(lambda _: table, text)


def _place(model: Model) -> tuple[int, int, str]:
    return _CATEGORIES.index(model.category), _TIERS.index(model.tier), model.id


def _row(model: Model) -> str:
    context = f"{model.context_length:,}" if model.context_length else ""
    variants = sorted(model.variants, key=lambda variant: _HARDWARE.index(variant.hardware))
    hardware = ", ".join(map(_hardware, variants))
    name = f"[{model.name}]({_link(model.homepage)})"
    cells = (model.category, model.tier, context, model.licence, hardware)
    return f"| `{model.id}` | {name} | {' | '.join(cells)} |\n"


def _link(homepage: str) -> str:
    """As a link of the page: pages of the documentation are files beside it."""
    page = homepage.removeprefix("/docs/")
    return homepage if page == homepage else f"{page}.md"


def _hardware(variant: Variant) -> str:
    name = variant.hardware.upper()
    return f"{name} x {variant.cards}" if variant.cards > 1 else name


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
