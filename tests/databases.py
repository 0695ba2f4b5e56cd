"""Databases at the newest schema: to migrate one for each test would take longest of all."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import delete, insert, text

from oxlo.store import migrate
from oxlo.store.database import Database
from oxlo.store.schema import meta, metadata

#: The file of an empty SQLite database, once one was migrated.
_EMPTY: list[bytes] = []


@asynccontextmanager
async def sqlite(url: str) -> AsyncIterator[Database]:
    """The SQLite database of this URL; a fresh one is a copy of the first that was migrated."""
    database = Database(url)
    file = migrate.sqlite_file(database)
    if _EMPTY and not file.exists():
        file.write_bytes(_EMPTY[0])
    await migrate.prepare(database)
    if not _EMPTY:
        await database.close()  # the whole of it is in its file
        _EMPTY.append(file.read_bytes())
    try:
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def postgresql(url: str) -> AsyncIterator[Database]:
    """The PostgreSQL database of this URL, holding what a migration leaves in it."""
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
    """Drop all that any revision has made."""
    async with database.write() as db:
        await db.run_sync(metadata.drop_all)
        await db.execute(text("drop table if exists alembic_version"))
