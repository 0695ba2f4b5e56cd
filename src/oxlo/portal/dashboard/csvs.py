"""CSV downloads that are safe to open in spreadsheets."""

import csv
import io
from collections.abc import Iterable, Sequence

from starlette.responses import Response

#: First characters that make a spreadsheet treat a cell as a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def reply(name: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> Response:
    """A CSV file as a download."""
    return Response(
        text(header, rows),
        headers={
            "content-disposition": f'attachment; filename="{name}"',
            "cache-control": "no-store",
        },
        media_type="text/csv; charset=utf-8",
    )


def text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Format rows as CSV (RFC 4180)."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(header)
    writer.writerows([safe(cell) for cell in row] for row in rows)
    return out.getvalue()


def safe(cell: object) -> object:
    """Prefix text that a spreadsheet would treat as a formula with an apostrophe."""
    if isinstance(cell, str) and cell.startswith(_FORMULA):
        return f"'{cell}"
    return "" if cell is None else cell
