"""How the models have been answering: figures of all accounts' calls, without saying whose."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Select, case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from oxlo.store.calls import RUNNING
from oxlo.store.schema import calls

#: Percentiles are those of at most so many of the newest calls, so that asking stays cheap.
SAMPLE = 50_000
#: Calls after a start that its first one is compared with.
LATER = 20
_ENGINE_ENDS = ("answered", "failed", "timed_out", "lost")
_FAULTS = ("failed", "timed_out", "lost")


class Spread(msgspec.Struct, frozen=True):
    """The median and the 95th percentile, milliseconds."""

    p50: float
    p95: float


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """One model's calls of a period: those that an engine was to answer."""

    requests: int
    #: Calls that ended by a fault of ours: the engine failed, was silent, or the gateway died.
    errors: int
    #: To the first token, over streams; None without any.
    first_ms: Spread | None
    #: To the end of the answer; None where none was answered.
    total_ms: Spread | None


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """What users saw of a replica's start: its first answer beside the next ones."""

    #: Milliseconds to the first token of the first stream.
    first_ms: float
    #: The median of the next ones; None before there are any.
    later_ms: float | None


async def since(db: AsyncConnection, begin: float) -> dict[str, Health]:
    """Each model's health over the calls admitted from `begin` (unix seconds) on."""
    first = await _spreads(db, begin, calls.c.first_ms, calls.c.stream, calls.c.first_ms > 0)
    total = await _spreads(db, begin, calls.c.total_ms)
    query = (
        select(calls.c.model, func.count(), func.sum(_count_if(calls.c.outcome.in_(_FAULTS))))
        .where(calls.c.admitted_at >= begin, calls.c.outcome.in_(_ENGINE_ENDS))
        .group_by(calls.c.model)
    )
    return {
        model: Health(
            requests=count,
            errors=int(errors),
            first_ms=first.get(model),
            total_ms=total.get(model),
        )
        for model, count, errors in await db.execute(query)
    }


async def start(db: AsyncConnection, replica: str, ready_at: float) -> Start | None:
    """How fast a replica answered its first stream after `ready_at`; None before it had one."""
    query = (
        select(calls.c.first_ms - calls.c.queue_ms)
        .where(
            calls.c.admitted_at >= ready_at,
            calls.c.replica == replica,
            calls.c.stream,
            calls.c.first_ms > 0,
            calls.c.outcome != RUNNING,
        )
        .order_by(calls.c.admitted_at, calls.c.id)
        .limit(1 + LATER)
    )
    times = [float(row[0]) for row in await db.execute(query)]
    if not times:
        return None
    later = sorted(times[1:])
    return Start(first_ms=times[0], later_ms=later[len(later) // 2] if later else None)


async def _spreads(
    db: AsyncConnection, begin: float, value: ColumnElement[float], *only: ColumnElement[bool]
) -> dict[str, Spread]:
    rows = await db.execute(_percentiles(begin, value, only, (50, 95)))
    return {model: Spread(round(float(p50), 1), round(float(p95), 1)) for model, p50, p95 in rows}


def _percentiles(
    begin: float,
    value: ColumnElement[float],
    only: Sequence[ColumnElement[bool]],
    wanted: tuple[int, int],
) -> Select[Any]:
    """By nearest rank; spelt with windows, which both databases have, and SQLite no percentiles."""
    newest = (
        select(calls.c.model, value.label("value"))
        .where(calls.c.admitted_at >= begin, calls.c.outcome == "answered", *only)
        .order_by(calls.c.admitted_at.desc())
        .limit(SAMPLE)
        .subquery()
    )
    model = newest.c.model
    ranked = select(
        model,
        newest.c.value,
        func.row_number().over(partition_by=model, order_by=newest.c.value).label("rank"),
        func.count().over(partition_by=model).label("size"),
    ).subquery()
    columns = (
        func.min(case((ranked.c.rank * 100 >= ranked.c.size * percent, ranked.c.value)))
        for percent in wanted
    )
    return select(ranked.c.model, *columns).group_by(ranked.c.model)


def _count_if(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return case((condition, 1), else_=0)
