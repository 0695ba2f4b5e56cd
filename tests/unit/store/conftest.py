"""A migrated database for each test: SQLite, and PostgreSQL."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests import databases

from oxlo.store import migrate
from oxlo.store.database import Database


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """An empty database at the newest schema; every store test runs on each kind."""
    if request.param == "postgresql":
        opened = databases.postgresql(request.getfixturevalue("postgresql"))
    else:
        opened = databases.sqlite(f"sqlite:///{tmp_path / 'oxlo.db'}")
    async with opened as database:
        yield database


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[Database]:
    """A SQLite file that was just made and migrated, for what only files have."""
    database = Database(f"sqlite:///{tmp_path / 'oxlo.db'}")
    await migrate.prepare(database)
    yield database
    await database.close()
