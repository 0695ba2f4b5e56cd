"""Medians and 95th percentiles of calls, by nearest rank.

Computed with window functions, because SQLite has no percentile functions.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Select, case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from oxlo.store.schema import calls

#: Only this many of the newest calls are considered, to bound the cost.
SAMPLE = 50_000
_WANTED = (50, 95)


class Spread(msgspec.Struct, frozen=True):
    """Median and 95th percentile, milliseconds."""

    p50: float
    p95: float


async def spreads(
    db: AsyncConnection,
    group: ColumnElement[Any],
    value: ColumnElement[float],
    *only: ColumnElement[bool],
) -> dict[Any, Spread]:
    """The spread of `value` over answered calls that match all of `only`, grouped by `group`."""
    rows = await db.execute(_query(group, value, only))
    return {key: Spread(round(float(p50), 1), round(float(p95), 1)) for key, p50, p95 in rows}


def _query(
    group: ColumnElement[Any], value: ColumnElement[float], only: Sequence[ColumnElement[bool]]
) -> Select[Any]:
    newest = (
        select(group.label("key"), value.label("value"))
        .where(calls.c.outcome == "answered", *only)
        .order_by(calls.c.admitted_at.desc())
        .limit(SAMPLE)
        .subquery()
    )
    key = newest.c.key
    ranked = select(
        key,
        newest.c.value,
        func.row_number().over(partition_by=key, order_by=newest.c.value).label("rank"),
        func.count().over(partition_by=key).label("size"),
    ).subquery()
    columns = (
        func.min(case((ranked.c.rank * 100 >= ranked.c.size * percent, ranked.c.value)))
        for percent in _WANTED
    )
    return select(ranked.c.key, *columns).group_by(ranked.c.key)
