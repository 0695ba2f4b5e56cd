"""An account's usage of its limits, from SQL; exact once the journals are drained."""

import msgspec
from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from oxlo.ledger.windows import DAY, day_of, minute_of
from oxlo.store import grants
from oxlo.store.calls import RUNNING
from oxlo.store.schema import calls

_HOUR = 3600


class Used(msgspec.Struct, frozen=True, kw_only=True):
    """An account's usage; running calls count until they end."""

    day: int
    minute: int
    running: int
    #: Counted calls of the last hour, and when the first of them came, unix seconds; None: none.
    last_hour: int
    hour_began: float | None
    #: Additional requests granted for today.
    granted: int


async def used(db: AsyncConnection, account_id: str, *, now: float) -> Used:
    """Usage of the day and minute of a time, unix seconds."""
    running = calls.c.outcome == RUNNING
    today, minute = calls.c.day == day_of(now), calls.c.minute == minute_of(now)
    charged = calls.c.counted | running
    recent = charged & (calls.c.admitted_at > now - _HOUR)
    query = select(
        _count(today & charged),
        _count(minute & (calls.c.minute_counted | running)),
        _count(running),
        _count(recent),
        func.min(case((recent, calls.c.admitted_at))),
    ).where(calls.c.account_id == account_id, calls.c.admitted_at >= (day_of(now) - 1) * DAY)
    row = (await db.execute(query)).one()
    given = dict(await grants.by_day(db, account_id, day_of(now)))
    *counts, hour_began = row
    day, in_minute, under_way, last_hour = (int(value or 0) for value in counts)
    return Used(
        day=day,
        minute=in_minute,
        running=under_way,
        last_hour=last_hour,
        hour_began=hour_began,
        granted=given.get(day_of(now), 0),
    )


def _count(where: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((where, 1), else_=0))
