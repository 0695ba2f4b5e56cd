"""Uptime of models: control checks readiness once a minute and counts by hour."""

from collections.abc import Mapping

import msgspec
from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from oxlo.store import upsert
from oxlo.store.schema import readiness

#: Checks within this many seconds of another count once, if several controls run.
APART = 30.0
_HOUR = 3600
_HOURS = 24


class Looks(msgspec.Struct, frozen=True):
    """Number of checks, and of those that found the model ready."""

    checks: int
    ready: int

    @property
    def uptime(self) -> float:
        """The share of checks that found it ready."""
        return self.ready / self.checks


async def note(db: AsyncConnection, ready: Mapping[str, bool], now: float) -> None:
    """Count one check of each model; counting starts when a model is first ready.

    Before, it is being set up, which is not downtime.
    """
    known = set(await db.scalars(select(readiness.c.model).distinct()))
    rows = [
        {"hour": int(now // _HOUR), "model": m, "checks": 1, "ready": int(is_), "checked_at": now}
        for m, is_ in sorted(ready.items())
        if is_ or m in known
    ]
    if not rows:
        return
    insert, table = upsert.insert(db, readiness), readiness.c
    news = insert.excluded
    statement = insert.on_conflict_do_update(
        index_elements=["hour", "model"],
        set_={
            "checks": table.checks + 1,
            "ready": table.ready + news.ready,
            "checked_at": news.checked_at,
        },
        where=table.checked_at <= news.checked_at - APART,
    )
    await db.execute(statement, rows)


async def by_day(db: AsyncConnection, first: int) -> dict[str, dict[int, Looks]]:
    """Checks by model and UTC day (unix seconds // 86400), from `first` on."""
    day = (readiness.c.hour // _HOURS).label("day")
    query = (
        select(readiness.c.model, day, func.sum(readiness.c.checks), func.sum(readiness.c.ready))
        .where(readiness.c.hour >= first * _HOURS)
        .group_by(readiness.c.model, day)
        .order_by(readiness.c.model, day)
    )
    found: dict[str, dict[int, Looks]] = {}
    for model, number, checks, ready in await db.execute(query):
        found.setdefault(model, {})[int(number)] = Looks(int(checks), int(ready))
    return found


async def delete_before(db: AsyncConnection, moment: float) -> int:
    """Delete hours before a time; returns the number of rows."""
    old = readiness.c.hour < int(moment // _HOUR)
    return int((await db.execute(delete(readiness).where(old))).rowcount)
