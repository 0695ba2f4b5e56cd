"""What only PostgreSQL does; the store's own tests run on it as well.

It comes from a wheel, or is the one that OXLO_TEST_POSTGRES names, which may be emptied:
OXLO_TEST_POSTGRES=postgresql://user@127.0.0.1/oxlo_test python -m pytest tests
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import InternalError
from tests import databases
from tests.waiting import PATIENCE

from oxlo import plans
from oxlo.control.drain import Drain
from oxlo.control.figures import Figures
from oxlo.store import accounts, calls, changes, identity, keys, migrate, sessions
from oxlo.store.database import Database
from oxlo.store.errors import DatabaseUnavailable, SchemaMismatch
from oxlo.testing import journal


@pytest.fixture
async def empty(url: str) -> AsyncIterator[Database]:
    """A PostgreSQL database without tables."""
    database = Database(url)
    await databases.without_tables(database)
    yield database
    await database.close()


async def test_programs_do_not_migrate(empty: Database) -> None:
    """On an older schema a program refuses, and says which command to run."""
    with pytest.raises(SchemaMismatch, match="oxlo migrate"):
        await migrate.prepare(empty)
    await migrate.upgrade(empty, "0001")
    with pytest.raises(SchemaMismatch, match=r"0001.*oxlo migrate"):
        await migrate.prepare(empty)
    await migrate.upgrade(empty)
    await migrate.prepare(empty)


async def test_upgrade_to_the_portal(empty: Database) -> None:
    """An account and a key of the revision before it are there after the upgrade."""
    await migrate.upgrade(empty, "0002")
    async with empty.write() as db:
        columns = "id, name, email, role, plan, created_at"
        values = "'acct_1', 'ann', 'ann@example.com', 'user', 'pro', 5.0"
        await db.execute(text(f"insert into accounts ({columns}) values ({values})"))
        columns = "id, account_id, name, prefix, sha256, created_at, models, endpoints, origins"
        values = "'key_1', 'acct_1', 'k', 'sk_', 'abc', 6.0, '[]', '[]', '[]'"
        await db.execute(text(f"insert into keys ({columns}) values ({values})"))
    await migrate.upgrade(empty)
    async with empty.read() as db:
        ann = await identity.by_email(db, "ann@example.com")
        (key,) = await keys.of_account(db, "acct_1")
    assert ann is not None
    assert (ann.plan, ann.verified_at, key.hidden) == ("pro", None, False)


async def test_migrations_take_turns(empty: Database, url: str) -> None:
    """Three `oxlo migrate` at once: all succeed, the schema is made once."""
    others = [Database(url) for _ in range(3)]
    await asyncio.gather(*(migrate.upgrade(each) for each in others))
    assert await migrate.current(empty) == migrate.revisions()[0]
    for each in others:
        await each.close()


async def _waiting(database: Database, number: int) -> None:
    """Wait until so many connections wait for a lock."""
    query = text("select count(*) from pg_stat_activity where wait_event_type = 'Lock'")
    async with asyncio.timeout(PATIENCE), database.engine.connect() as db:
        while (await db.execute(query)).scalar_one() < number:
            await db.rollback()  # statistics are read once in a transaction
            await asyncio.sleep(0.01)


async def test_log_in_while_renamed(empty: Database) -> None:
    """Logging in again and renaming the account at the same time do not wait for each other."""
    await migrate.upgrade(empty)
    async with empty.write() as db:
        ann = await accounts.create(db, "ann", plans.load()["free"], now=1.0)
        old, _ = await sessions.begin(db, ann.id, address="", agent="", now=1.0)

    async def log_in() -> None:
        async with empty.write() as db:
            await sessions.begin(db, ann.id, address="", agent="", now=1.0, instead_of=old)

    async def rename() -> None:
        async with empty.write() as db:
            await identity.rename(db, ann, "anna")

    async with asyncio.TaskGroup() as both, empty.write() as db:
        await changes.lock(db)
        both.create_task(log_in())
        await _waiting(empty, 1)
        both.create_task(rename())
        await _waiting(empty, 2)
    async with empty.read() as db:
        assert (await accounts.find(db, "anna")).id == ann.id


async def test_journal_into_postgres(empty: Database, tmp_path: Path) -> None:
    """Records reach PostgreSQL, odd names included; two drains at once write them once."""
    await migrate.upgrade(empty)
    records = [journal.settled(f"req_{n}") for n in range(3000)]
    file = tmp_path / "gw-000001.jsonl"
    journal.append(file, journal.lines(*records, journal.refused("r", model="a\0b")))
    drains = [Drain(tmp_path, empty, Figures()) for _ in range(2)]
    assert sum(await asyncio.gather(*(each.run() for each in drains))) == 3001
    async with empty.read() as db:
        assert await calls.counted_on(db, "acct_1", journal.DAY) == 3000


#: A real server's answer when its disk is full, and when it takes no writes (a standby, say).
FULL = """
create function full_disk() returns trigger language plpgsql as $$
begin raise exception 'could not extend file: No space left on device' using errcode = '53100'; end
$$;
create trigger full_disk before insert or update on calls execute function full_disk();
"""
MENDED = "drop trigger full_disk on calls; drop function full_disk();"
READ_ONLY = "set session characteristics as transaction read only"
WRITABLE = "set session characteristics as transaction read write"


@pytest.mark.parametrize(
    ("broken", "mended", "words"),
    [(FULL, MENDED, "No space left"), (READ_ONLY, WRITABLE, "read-only")],
)
async def test_nothing_can_be_written(
    empty: Database, tmp_path: Path, broken: str, mended: str, words: str
) -> None:
    """A full or a read-only PostgreSQL is told in one line; records wait in their journals."""
    await migrate.upgrade(empty)
    records = [journal.settled(f"req_{n}") for n in range(3)]
    journal.append(tmp_path / "gw-000001.jsonl", journal.lines(*records))
    drain = Drain(tmp_path, empty, Figures())
    await command(empty, broken)
    for _ in range(2):
        with pytest.raises(DatabaseUnavailable, match=words) as failure:
            await drain.run()
        assert "\n" not in str(failure.value)
        assert not empty.up
    await command(empty, mended)
    assert await drain.run() == 3
    assert empty.up


async def command(database: Database, words: str) -> None:
    """Several statements at once, on the pool's only connection."""
    async with database.engine.connect() as connection:
        raw = await connection.get_raw_connection()
        assert raw.driver_connection is not None
        await raw.driver_connection.execute(words)


async def test_no_answer_in_time(url: str) -> None:
    """A server that is silent in the middle of a statement counts as unreachable."""
    database = Database(url, statement_seconds=0.1)
    with pytest.raises(DatabaseUnavailable, match="no answer in time"):
        async with database.read() as db:
            await db.execute(text("select pg_sleep(60)"))
    async with asyncio.timeout(PATIENCE):
        while not await answers(database):
            pass
    await database.close()


async def answers(database: Database) -> bool:
    """Whether it answers in time, which a busy machine may not."""
    with contextlib.suppress(DatabaseUnavailable):
        async with database.read() as db:
            return (await db.execute(text("select 1"))).scalar() == 1
    return False


async def test_connection_that_breaks_at_the_commit(empty: Database) -> None:
    """What asyncpg raises when a backend is killed during a commit is an outage, like the rest."""
    broken = InternalError("commit", None, Exception("cannot switch to state 15"))
    with pytest.raises(DatabaseUnavailable, match="cannot switch to state 15"):
        async with empty.write():
            raise broken


@pytest.mark.parametrize(("user", "name"), [("nobody_here", None), (None, "nothing_here")])
async def test_refused_at_the_door(url: str, user: str | None, name: str | None) -> None:
    """A wrong user or database name is told in one line, like an outage."""
    wrong = make_url(url).set(username=user, database=name)
    database = Database(wrong.render_as_string(hide_password=False))
    with pytest.raises(DatabaseUnavailable, match="does not exist"):
        await migrate.prepare(database)
    await database.close()


async def test_unreachable_server() -> None:
    """A server that is not there is one clear error, which names no password."""
    database = Database("postgresql://oxlo:hunter2@127.0.0.1:1/oxlo")
    with pytest.raises(DatabaseUnavailable, match="cannot be reached") as failure:
        await migrate.prepare(database)
    assert "hunter2" not in str(failure.value)
    await database.close()
