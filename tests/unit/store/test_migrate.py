"""Schema revisions: what is migrated, what is refused, what is kept."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, insert, text
from tests.disks import full_disk

from oxlo.store import accounts, calls, keys, migrate, payments, recovery
from oxlo.store.database import Database
from oxlo.store.errors import DatabaseUnavailable, SchemaMismatch
from oxlo.store.migrate import Step
from oxlo.store.schema import accounts as accounts_table
from oxlo.store.schema import metadata

KNOWN = ["0002", "0001"]


@pytest.mark.parametrize(
    ("dialect", "current", "expected"),
    [
        ("sqlite", None, Step.MIGRATE),
        ("sqlite", "0001", Step.MIGRATE),
        ("sqlite", "0002", Step.NOTHING),
        ("sqlite", "0009", Step.REFUSE_NEWER),
        ("postgresql", None, Step.REFUSE_OLDER),
        ("postgresql", "0001", Step.REFUSE_OLDER),
        ("postgresql", "0002", Step.NOTHING),
        ("postgresql", "0009", Step.REFUSE_NEWER),
    ],
)
def test_step_by_dialect(dialect: str, current: str | None, expected: Step) -> None:
    """SQLite is migrated at the start, PostgreSQL never."""
    assert migrate.step(dialect, current, KNOWN) is expected


def _backups(folder: Path) -> list[str]:
    return [file.name for file in folder.glob("*.bak")]


def _copies(folder: Path) -> dict[str, bytes]:
    """Backups, and drafts of them."""
    return {file.name: file.read_bytes() for file in folder.glob("oxlo.db.*")}


def _drift(connection: Connection) -> list[object]:
    return list(compare_metadata(MigrationContext.configure(connection), metadata))


async def test_no_drift(database: Database) -> None:
    """The migrations make exactly the tables of schema.py."""
    async with database.read() as db:
        assert await db.run_sync(_drift) == []


async def test_first_revision_keeps_data(tmp_path: Path) -> None:
    """An account of the first schema is there after the upgrade, and in the backup."""
    database = Database(f"sqlite:///{tmp_path / 'oxlo.db'}")
    await migrate.upgrade(database, "0001")
    row = {"id": "acct_1", "name": "ann", "role": "user", "plan": "pro", "created_at": 5.0}
    async with database.write() as db:
        await db.execute(insert(accounts_table).values(row))
    await migrate.prepare(database)
    async with database.read() as db:
        assert (await accounts.find(db, "ann")).plan == "pro"
        assert await calls.find(db, "req_1") is None
    await database.close()
    with sqlite3.connect(tmp_path / "oxlo.db.0001.bak") as backup:
        assert backup.execute("select name from accounts").fetchall() == [("ann",)]
        assert backup.execute("select version_num from alembic_version").fetchall() == [("0001",)]
    backup.close()


async def test_upgrade_to_the_portal(tmp_path: Path) -> None:
    """Accounts and keys of the revision before it keep their data, and get what is new, empty."""
    database = Database(f"sqlite:///{tmp_path / 'oxlo.db'}")
    await migrate.upgrade(database, "0002")
    row = "'{0}', '{0}', '{0}@example.com', 'user', 'pro', 5.0"
    async with database.write() as db:
        columns = "id, name, email, role, plan, created_at"
        await db.execute(text(f"insert into accounts ({columns}) values ({row.format('ann')})"))
        columns = "id, account_id, name, prefix, sha256, created_at, models, endpoints, origins"
        values = "'key_1', 'ann', 'k', 'sk_', 'abc', 6.0, '[]', '[]', '[]'"
        await db.execute(text(f"insert into keys ({columns}) values ({values})"))
    await migrate.prepare(database)
    async with database.read() as db:
        ann = await accounts.find(db, "ann")
        (key,) = await keys.of_account(db, ann.id)
    assert (ann.email, ann.verified_at, ann.totp_nonce) == ("ann@example.com", None, None)
    assert (key.name, key.hidden) == ("k", False)
    await database.close()


async def test_upgrade_to_billing(tmp_path: Path) -> None:
    """Accounts of the revision before it stay as they are, and can be paid for."""
    database = Database(f"sqlite:///{tmp_path / 'oxlo.db'}")
    await migrate.upgrade(database, "0004")
    async with database.write() as db:
        columns = "id, name, email, role, plan, created_at"
        values = "'acct_1', 'ann', 'ann@example.com', 'user', 'pro', 5.0"
        await db.execute(text(f"insert into accounts ({columns}) values ({values})"))
    await migrate.prepare(database)
    paid = payments.Subscription(
        account_id="acct_1", customer="c", subscription="s", item="i", plan="pro", status="active"
    )
    async with database.write() as db:
        for _ in range(2):
            await payments.keep(db, paid)
        assert await payments.of_account(db, "acct_1") == paid
        assert [await payments.note_event(db, "e", "t", now=1.0) for _ in "12"] == [True, False]
    await database.close()


async def test_upgrade_to_recovery_codes(tmp_path: Path) -> None:
    """Accounts of the revision before it keep their one-time codes, and can get recovery codes."""
    database = Database(f"sqlite:///{tmp_path / 'oxlo.db'}")
    await migrate.upgrade(database, "0005")
    async with database.write() as db:
        columns = "id, name, role, plan, created_at, totp_nonce, totp_at"
        values = "'acct_1', 'ann', 'user', 'pro', 5.0, 'n', 6.0"
        await db.execute(text(f"insert into accounts ({columns}) values ({values})"))
    await migrate.prepare(database)
    async with database.write() as db:
        assert (await accounts.find(db, "ann")).totp_nonce == "n"
        assert await recovery.left(db, "acct_1") == 0
        await recovery.renew(db, "acct_1", ["a"], now=7.0)
        assert await recovery.left(db, "acct_1") == 1
    await database.close()


async def test_fresh_database_needs_no_backup(tmp_path: Path, sqlite: Database) -> None:
    """Nothing is copied when there is nothing to lose, and nothing on a second start."""
    await migrate.prepare(sqlite)
    assert _backups(tmp_path) == []


async def test_backup_of_another_revision(tmp_path: Path) -> None:
    """Of two programs that migrate, the slower one does not replace the faster one's copy."""
    file = tmp_path / "oxlo.db"
    database = Database(f"sqlite:///{file}")
    await migrate.upgrade(database, "0006")
    await migrate.prepare(database)
    await database.close()
    before = _copies(tmp_path)
    migrate.back_up(file, "0006")
    assert _copies(tmp_path) == before
    assert before.keys() == {"oxlo.db.0006.bak"}


async def test_no_room_for_the_backup(tmp_path: Path) -> None:
    """A database that cannot be copied is not migrated, and nothing half-copied stays."""
    database = Database(f"sqlite:///{tmp_path / 'oxlo.db'}")
    await migrate.upgrade(database, "0006")
    await database.close()
    with full_disk(), pytest.raises(DatabaseUnavailable, match="cannot be copied"):
        migrate.back_up(tmp_path / "oxlo.db", "0006")
    assert _copies(tmp_path) == {}


async def test_newer_schema_is_refused(database: Database) -> None:
    """A database of a newer program is left alone, with a message that says so."""
    async with database.write() as db:
        await db.execute(text("update alembic_version set version_num = '9999'"))
    with pytest.raises(SchemaMismatch, match=r"9999.*newer version"):
        await migrate.prepare(database)
    with pytest.raises(SchemaMismatch, match="9999"):
        await migrate.upgrade(database)


async def test_two_starts_at_once(tmp_path: Path) -> None:
    """Two processes that migrate the same file wait for each other."""
    twins = [Database(f"sqlite:///{tmp_path / 'oxlo.db'}") for _ in range(2)]
    await asyncio.gather(*(migrate.prepare(each) for each in twins))
    for each in twins:
        assert await migrate.current(each) == migrate.revisions()[0]
        await each.close()


async def test_start_while_another_creates_the_file(tmp_path: Path) -> None:
    """A first connection waits for a program that is at work on the new file."""
    database = Database(f"sqlite:///{tmp_path / 'oxlo.db'}")
    with closing(sqlite3.connect(tmp_path / "oxlo.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        starting = asyncio.create_task(migrate.current(database))
        await asyncio.wait([starting], timeout=0.2)
        assert not starting.done()
        other.execute("COMMIT")
        assert await starting is None
    await database.close()


async def test_file_is_private(tmp_path: Path, sqlite: Database) -> None:
    """Other users of the machine cannot read the database."""
    assert (tmp_path / "oxlo.db").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("url", ["mysql://localhost/x", "nonsense"])
def test_unusable_url(url: str) -> None:
    """A URL of another database is refused in one line."""
    with pytest.raises(DatabaseUnavailable, match="OXLO_DATABASE_URL"):
        Database(url)


async def test_missing_folder(tmp_path: Path) -> None:
    """A database in a folder that is not there is told in one line."""
    database = Database(f"sqlite:///{tmp_path / 'nowhere' / 'oxlo.db'}")
    with pytest.raises(DatabaseUnavailable, match="No such file"):
        await migrate.prepare(database)
