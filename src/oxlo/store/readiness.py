"""How often each model was ready, by the hour: control looks once a minute and adds it up."""

from collections.abc import Mapping

import msgspec
from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from oxlo.store import upsert
from oxlo.store.schema import readiness

#: Looks that follow an earlier one sooner than this add nothing: several controls count once.
APART = 30.0
_HOUR = 3600
_HOURS = 24


class Looks(msgspec.Struct, frozen=True):
    """How often a model was looked at, and was ready."""

    checks: int
    ready: int

    @property
    def uptime(self) -> float:
        """The share of looks that found it ready."""
        return self.ready / self.checks


async def note(db: AsyncConnection, ready: Mapping[str, bool], now: float) -> None:
    """Add one look at each model; the first one counts when it finds the model ready.

    Before, it was never offered: what is being set up is not down.
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
    """Each model's looks by UTC day (unix seconds // 86400), from `first` on."""
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
    """Forget the hours before a moment; how many rows."""
    old = readiness.c.hour < int(moment // _HOUR)
    return int((await db.execute(delete(readiness).where(old))).rowcount)
