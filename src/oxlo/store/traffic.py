"""Statistics over the calls of all accounts, for operators, without running calls."""

import msgspec
from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from oxlo.ledger.windows import MINUTE
from oxlo.store.calls import RUNNING
from oxlo.store.schema import accounts, calls

_HOUR = 3600
_HOURS = calls.c.minute // (_HOUR // MINUTE) * _HOUR


class Traffic(msgspec.Struct, frozen=True, kw_only=True):
    """The calls of a period; `failed` are those that ended with a 5xx."""

    requests: int
    counted: int
    failed: int
    #: Number of accounts with calls.
    accounts: int


class Busy(msgspec.Struct, frozen=True):
    """An account and its number of calls."""

    account_id: str
    name: str
    requests: int
    counted: int


async def whole(db: AsyncConnection, begin: float, end: float) -> Traffic:
    """Calls that were admitted in [begin, end), unix seconds."""
    query = select(
        func.count(),
        func.sum(case((calls.c.counted, 1), else_=0)),
        func.sum(case((calls.c.status >= 500, 1), else_=0)),
        func.count(calls.c.account_id.distinct()),
    ).where(*_within(begin, end))
    requests, counted, failed, accounts_ = (await db.execute(query)).one()
    return Traffic(requests=requests, counted=counted or 0, failed=failed or 0, accounts=accounts_)


async def by_hour(db: AsyncConnection, begin: float, end: float) -> dict[int, int]:
    """Number of calls by hour (unix second of its beginning), without empty hours."""
    query = select(_HOURS, func.count()).where(*_within(begin, end)).group_by(_HOURS)
    return {int(hour): int(number) for hour, number in await db.execute(query)}


async def busiest(db: AsyncConnection, begin: float, end: float, *, limit: int) -> list[Busy]:
    """The accounts with the most calls, without deleted ones."""
    number = func.count()
    query = (
        select(
            accounts.c.id, accounts.c.name, number, func.sum(case((calls.c.counted, 1), else_=0))
        )
        .join_from(calls, accounts, accounts.c.id == calls.c.account_id)
        .where(*_within(begin, end))
        .group_by(accounts.c.id, accounts.c.name)
        .order_by(number.desc(), accounts.c.id)
        .limit(limit)
    )
    return [Busy(id_, name, made, counted) for id_, name, made, counted in await db.execute(query)]


def _within(begin: float, end: float) -> tuple[ColumnElement[bool], ...]:
    return calls.c.admitted_at >= begin, calls.c.admitted_at < end, calls.c.outcome != RUNNING
