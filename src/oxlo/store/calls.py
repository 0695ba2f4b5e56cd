"""Calls: one row each, the source of receipts and usage."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from oxlo.store import upsert
from oxlo.store.schema import calls

#: A call that was admitted and has not ended.
RUNNING = "running"


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One call; moments are unix seconds, durations milliseconds."""

    id: str
    account_id: str
    key_id: str
    plan: str
    model: str
    endpoint: str
    stream: bool
    admitted_at: float
    settled_at: float | None = None
    #: UTC day and minute it belongs to: unix seconds // 86400 and // 60.
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
    #: What was left after it; None: no limit, or not known yet.
    day_left: int | None = None
    minute_left: int | None = None
    #: Models of the caller's chain that did not answer, and why, as `ledger/records.py` has it.
    tried: str = ""


#: What an outcome leaves as it is: it only estimates when the call was admitted, and does not know
#: that its account was deleted meanwhile.
_KEPT = frozenset(("id", "admitted_at", "account_id", "key_id"))


async def save(db: AsyncConnection, batch: Sequence[Call]) -> None:
    """Write calls, each id at most once in a batch; saving again changes nothing.

    A running call never overwrites what is there: its line may be read after its outcome's.
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
    """The call with this request id."""
    row = (await db.execute(select(calls).where(calls.c.id == call_id))).mappings().first()
    return None if row is None else msgspec.convert(row, Call)


async def counted_on(db: AsyncConnection, account_id: str, day: int) -> int:
    """How many of an account's calls counted on a UTC day (unix seconds // 86400)."""
    mine = (calls.c.account_id == account_id, calls.c.admitted_at >= day * 86400)
    query = (
        select(func.count()).select_from(calls).where(*mine, calls.c.day == day, calls.c.counted)
    )
    return int((await db.execute(query)).scalar_one())


async def refunded_on(db: AsyncConnection, account_id: str, day: int) -> int:
    """How many abandoned calls an account was refunded on a UTC day."""
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
    """How many of an account's calls count in a UTC minute (unix seconds // 60)."""
    mine = (calls.c.account_id == account_id, calls.c.admitted_at >= minute * 60)
    query = select(func.count()).select_from(calls)
    query = query.where(*mine, calls.c.minute == minute, calls.c.minute_counted)
    return int((await db.execute(query)).scalar_one())


async def delete_before(db: AsyncConnection, moment: float, *, limit: int) -> int:
    """Delete at most `limit` calls admitted before a moment; the number deleted."""
    old = select(calls.c.id).where(calls.c.admitted_at < moment).limit(limit)
    return int((await db.execute(delete(calls).where(calls.c.id.in_(old)))).rowcount)
