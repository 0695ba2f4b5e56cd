"""How commands print: aligned columns, JSON, moments in UTC."""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Rows as lines of aligned columns; the first row is the header."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def json(value: object) -> str:
    """A value as JSON that people can read."""
    return msgspec.json.format(msgspec.json.encode(value)).decode()


def moment(at: float | None) -> str:
    """Unix seconds as a UTC minute; `-` for none."""
    return "-" if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%MZ")
