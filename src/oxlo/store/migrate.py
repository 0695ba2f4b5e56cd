"""Schema migrations.

SQLite belongs to one installation: it is backed up and migrated at the start. PostgreSQL may be
shared: only `oxlo migrate` changes it, and programs refuse to start with another schema.
"""

import asyncio
import os
import sqlite3
from contextlib import closing
from enum import Enum
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, func, select, true
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection

from oxlo.store.database import Database
from oxlo.store.errors import DatabaseUnavailable, SchemaMismatch

#: PostgreSQL advisory lock of migrations; an arbitrary number.
_LOCK = 0x6F786C6F
#: Lock timeout for tables that running programs use.
_LOCK_TIMEOUT = "4s"


class Step(Enum):
    """What to do with a database before a program uses it."""

    NOTHING = "nothing"
    MIGRATE = "migrate"
    REFUSE_OLDER = "refuse_older"
    REFUSE_NEWER = "refuse_newer"


def step(dialect: str, current: str | None, known: list[str]) -> Step:
    """Decide from the database's revision and the known revisions, newest first."""
    if current == known[0]:
        return Step.NOTHING
    if current is not None and current not in known:
        return Step.REFUSE_NEWER
    return Step.MIGRATE if dialect == "sqlite" else Step.REFUSE_OLDER


def revisions() -> list[str]:
    """The revisions of this program, newest first."""
    return [script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()]


async def current(database: Database) -> str | None:
    """The database's revision; None if it is empty. Creates a SQLite file."""
    if database.dialect == "sqlite":
        _make_file(sqlite_file(database))
    async with database.read() as db:
        return await db.run_sync(_revision)


async def prepare(database: Database) -> None:
    """Check or migrate the database when a program starts.

    Raises SchemaMismatch if an operator must migrate it, DatabaseUnavailable.
    """
    known = revisions()
    revision = await current(database)
    match step(database.dialect, revision, known):
        case Step.MIGRATE:
            await upgrade(database)
        case Step.REFUSE_OLDER:
            raise SchemaMismatch(
                f"the database is at schema {revision or 'none'}, this program needs {known[0]}: "
                "stop the other programs and run `oxlo migrate`"
            )
        case Step.REFUSE_NEWER:
            raise SchemaMismatch(_newer(revision, known))


async def upgrade(database: Database, target: str = "head") -> tuple[str | None, str | None]:
    """Migrate the schema to `target`; returns (revision before, revision after).

    SQLite is first copied to `FILE.<revision>.bak` beside it. Raises SchemaMismatch.
    """
    before = await current(database)
    known = revisions()
    if before is not None and before not in known:
        raise SchemaMismatch(_newer(before, known))
    if before not in (None, known[0]) and database.dialect == "sqlite":
        await asyncio.to_thread(back_up, sqlite_file(database), str(before))
    # SQLite's batch changes rebuild tables; dropping the old one must not cascade.
    plain = Database(database.url, foreign_keys=False, statement_seconds=None)
    try:
        async with plain.write() as db:
            await _take_turn(db)
            await db.run_sync(_upgrade, target)
    finally:
        await plain.close()
    return before, await current(database)


async def _take_turn(db: AsyncConnection) -> None:
    """Lock against concurrent migrations; SQLite's write transaction is a lock already."""
    if db.dialect.name == "postgresql":
        await db.execute(select(func.set_config("lock_timeout", _LOCK_TIMEOUT, true())))
        await db.execute(select(func.pg_advisory_xact_lock(_LOCK)))


def _upgrade(connection: Connection, target: str) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, target)


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    return config


def _newer(revision: str | None, known: list[str]) -> str:
    return (
        f"the database is at schema {revision}, which this program does not know (its own is "
        f"{known[0]}): it was made by a newer version; update oxlo, or restore a backup"
    )


def sqlite_file(database: Database) -> Path:
    """The path of a SQLite database."""
    return Path(make_url(database.url).database or "")


def _make_file(file: Path) -> None:
    try:
        file.touch(mode=0o600)  # it has key hashes: readable by its owner only
    except OSError as error:
        raise DatabaseUnavailable(f"{file}: {error.strerror}") from error


def back_up(file: Path, revision: str) -> None:
    """Copy a database that may be in use to `FILE.<revision>.bak`, atomically.

    Another program may have migrated it meanwhile; then the copy is that program's.
    """
    draft = file.with_name(f"{file.name}.{os.getpid()}.tmp")
    draft.unlink(missing_ok=True)
    try:
        copy_sqlite(file, draft)
        if _revision_of(draft) == revision:
            draft.replace(file.with_name(f"{file.name}.{revision}.bak"))
    finally:
        draft.unlink(missing_ok=True)


def _revision_of(file: Path) -> str:
    """The revision of a SQLite file that has one."""
    with closing(sqlite3.connect(file)) as database:
        (revision,) = database.execute("select version_num from alembic_version").fetchone()
    return str(revision)


def copy_sqlite(file: Path, target: Path) -> None:
    """Copy a database that may be in use; its owner alone can read the copy.

    Raises DatabaseUnavailable, such as on a full disk.
    """
    target.touch(mode=0o600)
    try:
        with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(target)) as copy:
            source.backup(copy)
    except sqlite3.Error as error:
        raise DatabaseUnavailable(f"{file} cannot be copied to {target}: {error}") from error
