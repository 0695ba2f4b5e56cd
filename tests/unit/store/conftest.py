"""A migrated SQLite file for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from oxlo.store import migrate
from oxlo.store.database import Database


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """A fresh database at the newest schema."""
    database = Database(f"sqlite:///{tmp_path / 'oxlo.db'}")
    await migrate.prepare(database)
    yield database
    await database.close()
