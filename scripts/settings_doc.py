"""Generates docs/configuration.md's tables from `Settings`: `python scripts/settings_doc.py`."""

import re
from dataclasses import Field, fields
from pathlib import Path
from typing import Literal, get_args, get_origin

from oxlo.settings import Settings

PAGE = Path(__file__).parent.parent / "docs" / "configuration.md"

#: The first setting of each section, in the order of the class.
_SECTIONS = {
    "home": "The installation",
    "signup": "The portal",
    "head_timeout": "Connections, calls and records",
    "llamacpp_threads": "Engines",
}
_TABLE_HEAD = "| variable | takes | default | meaning |\n|---|---|---|---|\n"
_TABLES = re.compile(r"(?<=<!-- settings -->\n).*(?=<!-- /settings -->)", re.DOTALL)
#: Accepted values by type, for settings whose name has no unit.
_KINDS: dict[object, str] = {float: "seconds", str: "text", tuple[str, ...]: "list"}
_UNITS = {"mb": "MiB", "days": "days", "hours": "hours", "megapixels": "megapixels"}


def page(text: str) -> str:
    """Return the page with its tables regenerated."""
    tables = "".join(map(_rows, fields(Settings))) + "\n"
    return _TABLES.sub(lambda _: tables, text)


def _rows(setting: "Field[object]") -> str:
    """A setting's row, preceded by a section heading if it is the section's first."""
    title = _SECTIONS.get(setting.name)
    head = f"\n## {title}\n\n{_TABLE_HEAD}" if title else ""
    name = f"`OXLO_{setting.name.upper()}`"
    cells = (name, _takes(setting), _default(setting), setting.metadata["doc"])
    return f"{head}| {' | '.join(cells)} |\n"


def _takes(setting: "Field[object]") -> str:
    """The accepted values, with their unit."""
    kind = setting.type
    if get_origin(kind) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(kind))
    if kind is bool:
        return "`1` or `0`"
    if kind is int:
        return _UNITS.get(setting.name.rpartition("_")[2], "whole number")
    return _KINDS.get(kind, "path")


def _default(setting: "Field[object]") -> str:
    if setting.name == "home":
        return "[see below](#other-variables)"
    value = setting.default
    if isinstance(value, bool | float):
        return f"`{value:g}`"
    return "" if value is None or value in ("", ()) else f"`{value}`"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
