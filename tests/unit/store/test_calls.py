"""Calls and journal positions on a real SQLite file."""

import msgspec
import pytest

from oxlo.store import calls, positions
from oxlo.store.calls import Call
from oxlo.store.database import Database

DAY = 20_000
RUNNING = Call(
    id="req_1",
    account_id="acct_1",
    key_id="key_1",
    plan="free",
    model="m",
    endpoint="chat",
    stream=True,
    admitted_at=DAY * 86400 + 5.0,
    day=DAY,
    minute=DAY * 1440,
)
ANSWERED = msgspec.structs.replace(
    RUNNING, outcome="answered", status=200, counted=True, settled_at=DAY * 86400 + 7.0
)


async def _saved(database: Database, *batches: list[Call]) -> Call | None:
    for batch in batches:
        async with database.write() as db:
            await calls.save(db, batch)
    async with database.read() as db:
        return await calls.find(db, "req_1")


async def test_outcome_replaces_running(database: Database) -> None:
    """The row of an admission becomes the row of its outcome."""
    assert await _saved(database, [RUNNING]) == RUNNING
    assert await _saved(database, [ANSWERED]) == ANSWERED


async def test_late_admission_changes_nothing(database: Database) -> None:
    """An admission that is read after the outcome leaves the outcome."""
    assert await _saved(database, [ANSWERED], [RUNNING]) == ANSWERED


async def test_admission_time_is_kept(database: Database) -> None:
    """An outcome that only estimates its admission does not move what is known."""
    guess = msgspec.structs.replace(ANSWERED, admitted_at=DAY * 86400 + 6.0)
    assert await _saved(database, [RUNNING], [guess]) == ANSWERED


async def test_counted_today(database: Database) -> None:
    """Only counted calls of the account and the day are counted."""
    others = [
        msgspec.structs.replace(ANSWERED, id="req_2", account_id="acct_2"),
        msgspec.structs.replace(ANSWERED, id="req_3", counted=False),
        msgspec.structs.replace(ANSWERED, id="req_4", day=DAY - 1, admitted_at=DAY * 86400 - 1.0),
    ]
    await _saved(database, [ANSWERED, *others])
    async with database.read() as db:
        assert await calls.counted_on(db, "acct_1", DAY) == 1


async def test_old_calls_go_in_batches(database: Database) -> None:
    """At most the limit is deleted at a time, and nothing that is young enough."""
    old = [msgspec.structs.replace(ANSWERED, id=f"req_{n}", admitted_at=float(n)) for n in range(5)]
    await _saved(database, [*old, msgspec.structs.replace(ANSWERED, id="req_new")])
    async with database.write() as db:
        deleted = [await calls.delete_before(db, 5.0, limit=3) for _ in range(3)]
        assert deleted == [3, 2, 0]
        assert await calls.find(db, "req_new") is not None


@pytest.mark.parametrize(("old", "moved"), [(0, False), (10, True), (20, False)])
async def test_position_moves_from_where_it_is(database: Database, old: int, moved: bool) -> None:
    """Who read from another position than the stored one must not write."""
    async with database.write() as db:
        assert await positions.move(db, "gw-000001.jsonl", old=0, new=10)
    async with database.write() as db:
        assert await positions.move(db, "gw-000001.jsonl", old=old, new=30) is moved


async def test_forgotten_positions(database: Database) -> None:
    """A segment that is gone has no position."""
    async with database.write() as db:
        await positions.move(db, "a-000001.jsonl", old=0, new=10)
        await positions.move(db, "b-000001.jsonl", old=0, new=20)
        await positions.forget(db, {"a-000001.jsonl"})
        assert await positions.every(db) == {"b-000001.jsonl": 20}
