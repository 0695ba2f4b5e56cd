"""Grants: additional requests that operators give accounts; append-only."""

import secrets

import msgspec
from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from oxlo.ledger.windows import DAY
from oxlo.store import calls, changes
from oxlo.store.calls import Call
from oxlo.store.errors import CallNotFound, InvalidGrant
from oxlo.store.schema import grants

REASON_MAX = 200
_MOST = 1_000_000


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """Additional requests of an account for one UTC day."""

    id: str
    account_id: str
    #: UTC day: unix seconds // 86400.
    day: int
    requests: int
    reason: str
    #: The refunded call; None: not a refund.
    request_id: str | None = None
    created_at: float


async def give(
    db: AsyncConnection, account_id: str, requests: int, reason: str, *, day: int, now: float
) -> Grant:
    """Grant requests for a UTC day. Raises InvalidGrant."""
    if not 1 <= requests <= _MOST:
        raise InvalidGrant(f"grant 1 to {_MOST:,} requests, not {requests:,}")
    if day < now // DAY:
        raise InvalidGrant("that day is over: grant requests for today, or for a later day")
    return await _add(db, account_id, requests, reason, day=day, now=now)


async def refund(db: AsyncConnection, call_id: str, reason: str, *, now: float) -> Grant:
    """Refund a counted call, as a request of today. Raises CallNotFound or InvalidGrant."""
    call = await calls.find(db, call_id)
    if call is None:
        raise CallNotFound(f"there is no call {call_id!r}; its id is the response's x-request-id")
    _check_refundable(call)
    today = int(now // DAY)
    return await _add(db, call.account_id, 1, reason, day=today, now=now, request_id=call.id)


async def between(db: AsyncConnection, account_id: str, first: int, end: int) -> list[Grant]:
    """An account's grants of the UTC days [first, end), oldest first."""
    query = select(grants).where(
        grants.c.account_id == account_id, grants.c.day >= first, grants.c.day < end
    )
    rows = (await db.execute(query.order_by(grants.c.created_at, grants.c.id))).mappings()
    return [msgspec.convert(row, Grant) for row in rows]


async def of_call(db: AsyncConnection, call_id: str) -> Grant | None:
    """The refund of a call, if any."""
    query = select(grants).where(grants.c.request_id == call_id)
    row = (await db.execute(query)).mappings().first()
    return None if row is None else msgspec.convert(row, Grant)


async def by_day(db: AsyncConnection, account_id: str, first: int) -> tuple[tuple[int, int], ...]:
    """An account's granted requests by UTC day, from `first` on."""
    query = (
        select(grants.c.day, func.sum(grants.c.requests))
        .where(grants.c.account_id == account_id, grants.c.day >= first)
        .group_by(grants.c.day)
        .order_by(grants.c.day)
    )
    return tuple((int(day), int(count)) for day, count in await db.execute(query))


def _check_refundable(call: Call) -> None:
    if call.outcome == calls.RUNNING:
        raise InvalidGrant(f"call {call.id} is still running; what does not count is given back")
    if not call.counted:
        raise InvalidGrant(f"call {call.id} did not count: there is nothing to give back")


async def _add(
    db: AsyncConnection,
    account_id: str,
    requests: int,
    reason: str,
    *,
    day: int,
    now: float,
    request_id: str | None = None,
) -> Grant:
    grant = Grant(
        id=f"grant_{secrets.token_hex(12)}",
        account_id=account_id,
        day=day,
        requests=requests,
        reason=_checked(reason),
        request_id=request_id,
        created_at=now,
    )
    try:
        await db.execute(insert(grants).values(msgspec.structs.asdict(grant)))
    except IntegrityError:
        raise InvalidGrant(f"call {request_id} was refunded already") from None
    await changes.note(db, account_id)  # makes gateways reload the account
    return grant


def _checked(reason: str) -> str:
    reason = reason.strip()
    if not reason or len(reason) > REASON_MAX or not reason.isprintable():
        raise InvalidGrant(f"a reason has 1 to {REASON_MAX} printable characters")
    return reason
