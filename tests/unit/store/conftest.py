"""A migrated database for each test: SQLite, and PostgreSQL."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from tests import postgres

from oxlo.store import migrate
from oxlo.store.database import Database
from oxlo.store.schema import metadata


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a PostgreSQL database that tests may empty."""
    with postgres.database() as url:
        yield url


async def _emptied(url: str) -> Database:
    database = Database(url)
    async with database.write() as db:
        await db.run_sync(metadata.drop_all)
        await db.execute(text("drop table if exists alembic_version"))
    return database


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """A fresh database at the newest schema; every store test runs on each kind."""
    if request.param == "postgresql":
        database = await _emptied(request.getfixturevalue("postgresql"))
    else:
        database = Database(f"sqlite:///{tmp_path / 'oxlo.db'}")
    await migrate.upgrade(database)
    yield database
    await database.close()


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[Database]:
    """A fresh SQLite file, for what only files have."""
    database = Database(f"sqlite:///{tmp_path / 'oxlo.db'}")
    await migrate.prepare(database)
    yield database
    await database.close()
