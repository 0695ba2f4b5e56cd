"""CSV that spreadsheets open without running anything in it."""

import csv
import io
from collections.abc import Iterable, Sequence

from starlette.responses import Response

#: What makes a spreadsheet take a cell for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def reply(name: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> Response:
    """A download."""
    return Response(
        text(header, rows),
        headers={
            "content-disposition": f'attachment; filename="{name}"',
            "cache-control": "no-store",
        },
        media_type="text/csv; charset=utf-8",
    )


def text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Rows as CSV (RFC 4180)."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(header)
    writer.writerows([safe(cell) for cell in row] for row in rows)
    return out.getvalue()


def safe(cell: object) -> object:
    """A cell as it stands; text that would be a formula is marked as text by an apostrophe."""
    if isinstance(cell, str) and cell.startswith(_FORMULA):
        return f"'{cell}"
    return "" if cell is None else cell
