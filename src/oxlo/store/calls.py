"""Calls: one row each, for receipts and usage."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from oxlo.store import upsert
from oxlo.store.schema import calls

#: The outcome of a call that has not ended.
RUNNING = "running"


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One call; timestamps are unix seconds, durations milliseconds."""

    id: str
    account_id: str
    key_id: str
    plan: str
    model: str
    endpoint: str
    stream: bool
    admitted_at: float
    settled_at: float | None = None
    #: UTC day and minute: unix seconds // 86400 and // 60.
    day: int
    minute: int
    #: HTTP status; None while it runs.
    status: int | None = None
    #: `running`, or an outcome of `ledger/records.py`.
    outcome: str = RUNNING
    counted: bool = False
    minute_counted: bool = False
    error: str = ""
    replica: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    finish: str = ""
    queue_ms: float = 0.0
    first_ms: float = 0.0
    total_ms: float = 0.0
    #: Remaining requests after it; None: unlimited, or not known yet.
    day_left: int | None = None
    minute_left: int | None = None
    #: Fallback models that did not answer, and why, as in `ledger/records.py`.
    tried: str = ""


#: Columns that an outcome does not overwrite: it only estimates the time of admission, and does
#: not know that the account was deleted meanwhile.
_KEPT = frozenset(("id", "admitted_at", "account_id", "key_id"))


async def save(db: AsyncConnection, batch: Sequence[Call]) -> None:
    """Upsert calls, each id at most once per batch; idempotent.

    A running call never overwrites a row, because its record may be read after its outcome's.
    """
    running = [msgspec.structs.asdict(call) for call in batch if call.outcome == RUNNING]
    ended = [msgspec.structs.asdict(call) for call in batch if call.outcome != RUNNING]
    if running:
        first = upsert.insert(db, calls)
        await db.execute(first.on_conflict_do_nothing(index_elements=["id"]), running)
    if ended:
        insert = upsert.insert(db, calls)
        news = {c.name: c for c in insert.excluded if c.name not in _KEPT}
        await db.execute(insert.on_conflict_do_update(index_elements=["id"], set_=news), ended)


async def find(db: AsyncConnection, call_id: str) -> Call | None:
    """Find a call by request id."""
    row = (await db.execute(select(calls).where(calls.c.id == call_id))).mappings().first()
    return None if row is None else msgspec.convert(row, Call)


async def counted_on(db: AsyncConnection, account_id: str, day: int) -> int:
    """Number of an account's calls that counted on a UTC day (unix seconds // 86400)."""
    mine = (calls.c.account_id == account_id, calls.c.admitted_at >= day * 86400)
    query = (
        select(func.count()).select_from(calls).where(*mine, calls.c.day == day, calls.c.counted)
    )
    return int((await db.execute(query)).scalar_one())


async def refunded_on(db: AsyncConnection, account_id: str, day: int) -> int:
    """Number of an account's refunds for disconnects on a UTC day."""
    begin = day * 86400
    query = (
        select(func.count())
        .select_from(calls)
        .where(calls.c.account_id == account_id, calls.c.admitted_at >= begin - 86400)
        .where(calls.c.outcome == "abandoned", ~calls.c.counted)
        .where(calls.c.settled_at >= begin, calls.c.settled_at < begin + 86400)
    )
    return int((await db.execute(query)).scalar_one())


async def counted_in(db: AsyncConnection, account_id: str, minute: int) -> int:
    """Number of an account's calls that count in a UTC minute (unix seconds // 60)."""
    mine = (calls.c.account_id == account_id, calls.c.admitted_at >= minute * 60)
    query = select(func.count()).select_from(calls)
    query = query.where(*mine, calls.c.minute == minute, calls.c.minute_counted)
    return int((await db.execute(query)).scalar_one())


async def delete_before(db: AsyncConnection, moment: float, *, limit: int) -> int:
    """Delete at most `limit` calls admitted before a time; returns the number."""
    old = select(calls.c.id).where(calls.c.admitted_at < moment).limit(limit)
    return int((await db.execute(delete(calls).where(calls.c.id.in_(old)))).rowcount)
