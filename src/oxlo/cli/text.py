"""How commands print: aligned columns, JSON, moments in UTC."""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from oxlo.cli.failing import CommandError


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


def day(given: str) -> int:
    """The UTC day that was named, in days since 1970. Raises CommandError."""
    try:
        chosen = datetime.strptime(given, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise CommandError(f"--day takes a date as 2026-11-28, not {given!r}") from None
    return int(chosen.timestamp() // 86400)
