"""Databases at the newest schema, copied from a migrated one to save time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import delete, insert, text

from oxlo.store import migrate
from oxlo.store.database import Database
from oxlo.store.schema import meta, metadata

#: The migrated, empty SQLite file, once it exists.
_EMPTY: list[bytes] = []


@asynccontextmanager
async def sqlite(url: str) -> AsyncIterator[Database]:
    """Open the SQLite database at a URL; a new one is a copy of the migrated file."""
    database = Database(url)
    file = migrate.sqlite_file(database)
    if _EMPTY and not file.exists():
        file.write_bytes(_EMPTY[0])
    await migrate.prepare(database)
    if not _EMPTY:
        await database.close()  # flushes everything to the file
        _EMPTY.append(file.read_bytes())
    try:
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def postgresql(url: str) -> AsyncIterator[Database]:
    """Open the PostgreSQL database at a URL, in the state after a migration."""
    database = Database(url)
    if await migrate.current(database) != migrate.revisions()[0]:
        await without_tables(database)
        await migrate.upgrade(database)
    async with database.write() as db:
        for table in reversed(metadata.sorted_tables):
            await db.execute(delete(table))
        await db.execute(insert(meta).values(name="changes", value=0))
    try:
        yield database
    finally:
        await database.close()


async def without_tables(database: Database) -> None:
    """Drop all tables."""
    async with database.write() as db:
        await db.run_sync(metadata.drop_all)
        await db.execute(text("drop table if exists alembic_version"))
