"""Output of commands: aligned columns, JSON, times in UTC."""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from oxlo.cli.failures import CommandError


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Format rows as aligned columns; the first row is the header."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def json(value: object) -> str:
    """Format a value as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(value)).decode()


def minute(at: float | None) -> str:
    """Format unix seconds to the minute, in UTC; `-` for None."""
    return "-" if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%MZ")


def day(text: str) -> int:
    """Parse a UTC date to days since 1970. Raises CommandError."""
    try:
        chosen = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise CommandError(f"--day takes a date as 2026-11-28, not {text!r}") from None
    return int(chosen.timestamp() // 86400)
