"""Brakes on a real database."""

from oxlo.store import brakes
from oxlo.store.brakes import Brake
from oxlo.store.database import Database

NOW = 1_800_000_000.0
LOGIN = Brake(kind="login", free=3, wait=1.0, longest=60.0, window=3600.0)


async def test_wait_doubles(database: Database) -> None:
    """The first events are free, then each doubles the wait, up to the longest."""
    async with database.write() as db:
        delays = [await brakes.note(db, LOGIN, "ann", now=NOW) for _ in range(12)]
    assert delays == [0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60]


async def test_waits_until(database: Database) -> None:
    """The wait runs out by itself; of several counters the longest one holds."""
    async with database.write() as db:
        for _ in range(5):
            await brakes.note(db, LOGIN, "ann", now=NOW)
        names = [LOGIN.name("ann"), LOGIN.name("bob")]
        assert await brakes.waits(db, names, now=NOW + 1) == 3
        assert await brakes.waits(db, names, now=NOW + 4) == 0
        assert await brakes.waits(db, names[1:], now=NOW) == 0


async def test_counting_begins_anew(database: Database) -> None:
    """After a quiet window, and after a success, nothing is held against anybody."""
    async with database.write() as db:
        for _ in range(5):
            await brakes.note(db, LOGIN, "ann", now=NOW)
        assert await brakes.note(db, LOGIN, "ann", now=NOW + 3600) == 0
        await brakes.note(db, LOGIN, "ann", now=NOW + 3600)
        await brakes.release(db, LOGIN.name("ann"))
        assert await brakes.note(db, LOGIN, "ann", now=NOW + 3600) == 0
        assert await brakes.delete_old(db, NOW + 3600 + brakes.MEMORY) == 1
