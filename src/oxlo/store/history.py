"""An account's calls, newest first, with pagination."""

from collections.abc import Iterator

import msgspec
from sqlalchemy import ColumnElement, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from oxlo.store.calls import Call
from oxlo.store.errors import CallNotFound
from oxlo.store.schema import calls


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """A filter of calls; None: any."""

    model: str | None = None
    outcome: str | None = None
    counted: bool | None = None
    key: str | None = None
    #: UTC day: unix seconds // 86400.
    day: int | None = None
    endpoint: str | None = None
    status: int | None = None
    #: Substring of the id.
    named: str | None = None
    #: Admitted since, unix seconds.
    since: float | None = None


class Page(msgspec.Struct, frozen=True):
    """One page of calls, newest first, and whether there are more."""

    calls: tuple[Call, ...]
    more: bool


async def page(
    db: AsyncConnection,
    account_id: str,
    *,
    limit: int,
    after: str | None = None,
    only: Filter | None = None,
) -> Page:
    """At most `limit` calls of an account, older than the call `after` if given.

    Raises CallNotFound if the account has no call `after`.
    """
    query = select(calls).where(calls.c.account_id == account_id, *_wanted(only or Filter()))
    if after is not None:
        query = query.where(await _older(db, account_id, after))
    newest = query.order_by(calls.c.admitted_at.desc(), calls.c.id.desc()).limit(limit + 1)
    rows = (await db.execute(newest)).mappings().all()
    found = tuple(msgspec.convert(row, Call) for row in rows[:limit])
    return Page(found, more=len(rows) > limit)


class Kinds(msgspec.Struct, frozen=True):
    """The values that an account's calls can be filtered by, sorted."""

    models: tuple[str, ...]
    endpoints: tuple[str, ...]
    statuses: tuple[int, ...]


async def kinds(db: AsyncConnection, account_id: str) -> Kinds:
    """The models, endpoints and statuses that occur in an account's calls."""
    query = select(calls.c.model, calls.c.endpoint, calls.c.status).distinct()
    rows = (await db.execute(query.where(calls.c.account_id == account_id))).all()
    return Kinds(
        tuple(sorted({row.model for row in rows})),
        tuple(sorted({row.endpoint for row in rows})),
        tuple(sorted({row.status for row in rows if row.status is not None})),
    )


def _wanted(only: Filter) -> Iterator[ColumnElement[bool]]:
    if only.model is not None:
        yield calls.c.model == only.model
    if only.outcome is not None:
        yield calls.c.outcome == only.outcome
    if only.counted is not None:
        yield calls.c.counted.is_(only.counted)
    if only.key is not None:
        yield calls.c.key_id == only.key
    if only.day is not None:
        yield calls.c.day == only.day
    if only.endpoint is not None:
        yield calls.c.endpoint == only.endpoint
    if only.status is not None:
        yield calls.c.status == only.status
    if only.named is not None:
        yield calls.c.id.contains(only.named, autoescape=True)
    if only.since is not None:
        yield calls.c.admitted_at >= only.since


async def _older(db: AsyncConnection, account_id: str, call_id: str) -> ColumnElement[bool]:
    """Pagination condition; ids break ties between equal times, so that no page skips a call."""
    mark = calls.c.admitted_at, calls.c.id
    query = select(*mark).where(calls.c.id == call_id, calls.c.account_id == account_id)
    row = (await db.execute(query)).first()
    if row is None:
        raise CallNotFound(f"there is no call {call_id!r}")
    return tuple_(*mark) < tuple_(*row)
