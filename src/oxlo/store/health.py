"""Health statistics of models, over all accounts' calls."""

import msgspec
from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from oxlo.store import percentiles
from oxlo.store.calls import RUNNING
from oxlo.store.percentiles import Spread
from oxlo.store.schema import calls

#: Number of calls with which the first one after a start is compared.
LATER = 20
_ENGINE_ENDS = ("answered", "failed", "timed_out", "lost")
_FAULTS = ("failed", "timed_out", "lost")


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """One model's calls of a period that reached the engine."""

    requests: int
    #: Calls that failed because of the platform: engine errors, timeouts, gateway crashes.
    errors: int
    #: Time to first token of streams; None without streams.
    first_ms: Spread | None
    #: Total duration; None without answers.
    total_ms: Spread | None


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """The first answer after a replica's start, compared with later ones."""

    #: Time to first token of the first stream, milliseconds.
    first_ms: float
    #: The median of later ones; None if there are none yet.
    later_ms: float | None


async def since(db: AsyncConnection, begin: float) -> dict[str, Health]:
    """Health by model, over calls admitted since `begin` (unix seconds)."""
    model, since_then = calls.c.model, calls.c.admitted_at >= begin
    streams = (calls.c.stream, calls.c.first_ms > 0)
    first = await percentiles.spreads(db, model, calls.c.first_ms, since_then, *streams)
    total = await percentiles.spreads(db, model, calls.c.total_ms, since_then)
    query = (
        select(calls.c.model, func.count(), func.sum(_count_if(calls.c.outcome.in_(_FAULTS))))
        .where(since_then, calls.c.outcome.in_(_ENGINE_ENDS))
        .group_by(calls.c.model)
    )
    return {
        name: Health(
            requests=count,
            errors=int(errors),
            first_ms=first.get(name),
            total_ms=total.get(name),
        )
        for name, count, errors in await db.execute(query)
    }


async def start(db: AsyncConnection, replica: str, ready_at: float) -> Start | None:
    """A replica's first stream after `ready_at`; None if there was none yet."""
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


def _count_if(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return case((condition, 1), else_=0)
