"""The web side on an installation of its own, behind control's public application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from tests.unit.portal.people import Portal

from oxlo.control import context, public
from oxlo.settings import Settings
from oxlo.store import migrate
from oxlo.store.database import Database

NOW = 1_800_000_000.0
BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An installation of its own."""
    settings = Settings(home=tmp_path, public_url="https://ai.example.org")
    settings.prepare()
    return settings


@pytest.fixture
async def browser(settings: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    """A client that asks as browsers do; nobody is signed in."""
    database = Database(settings.database)
    await migrate.prepare(database)
    app = public.app(context.build(settings, database, clock=lambda: NOW))
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(
        transport=transport, base_url="http://control", headers=BROWSER
    ) as client:
        yield client
    await database.close()


@pytest.fixture
async def portal(tmp_path: Path) -> AsyncIterator[Portal]:
    """An installation that browsers reach by plain http, as on a laptop."""
    settings = Settings(home=tmp_path)
    settings.prepare()
    async with opened(settings) as portal:
        yield portal


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Portal]:
    """The pages of an installation."""
    database = Database(settings.database)
    await migrate.prepare(database)
    yield Portal(settings, database)
    await database.close()
