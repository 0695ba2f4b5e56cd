"""Brakes on a real database."""

import asyncio

from oxlo.store import throttles
from oxlo.store.database import Database
from oxlo.store.throttles import Throttle, Turn

NOW = 1_800_000_000.0
LOGIN = Throttle(kind="login", free=3, wait=1.0, longest=60.0, window=3600.0)


async def took(database: Database, now: float = NOW, what: str = "ann") -> Turn:
    """One event, in a transaction of its own."""
    async with database.write() as db:
        return await throttles.take(db, LOGIN, what, now=now)


async def test_wait_doubles(database: Database) -> None:
    """The first events are free, then each doubles the wait, up to the longest."""
    now, delays = NOW, []
    for _ in range(12):
        turn = await took(database, now)
        delays.append(turn.until - now)
        now = turn.until
    assert delays == [0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60]


async def test_waits_until(database: Database) -> None:
    """Who comes too early is told when, and is not counted; others do not notice."""
    for _ in range(3):
        await took(database)
    assert (await took(database, NOW + 0.25)).wait == 0.75
    assert (await took(database, NOW + 0.25, "bob")).wait == 0
    assert (await took(database, NOW + 1)).until == NOW + 3


async def test_many_at_once(database: Database) -> None:
    """Of many at the same moment no more get their turn than of many one after another."""
    turns = await asyncio.gather(*(took(database) for _ in range(20)))
    assert sum(turn.wait == 0 for turn in turns) == 3


async def test_undone(database: Database) -> None:
    """What went well is not held against anybody, and lets the next one through."""
    for _ in range(4):
        turn = await took(database)
        assert turn.wait == 0
        async with database.write() as db:
            await throttles.undo(db, turn, now=NOW)
    assert (await took(database)).until == NOW


async def test_undone_is_only_its_own(database: Database) -> None:
    """A success does not shorten the wait of a failure that came after it."""
    first = await took(database)
    for _ in range(2):
        await took(database)
    async with database.write() as db:
        await throttles.undo(db, first, now=NOW)
    assert (await took(database)).wait == 1


async def test_a_wrong_clock_keeps_nobody_waiting(database: Database) -> None:
    """What was counted by a clock a day ahead is remembered, and holds nobody back for a day."""
    for _ in range(3):
        await took(database, NOW + 86_400)
    assert (await took(database)).until == NOW + 2
    assert (await took(database)).wait == 2


async def test_counting_begins_anew(database: Database) -> None:
    """After a quiet window, and after a success, nothing is held against anybody."""
    for _ in range(3):
        await took(database)
    later = NOW + 3600
    assert (await took(database, later)).until == later
    for _ in range(2):
        await took(database, later)
    async with database.write() as db:
        await throttles.release(db, LOGIN.name("ann"))
    assert (await took(database, later)).until == later
    async with database.write() as db:
        assert await throttles.delete_old(db, later + throttles.MEMORY) == 1
