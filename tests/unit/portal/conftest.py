"""The website of one installation, served by control's public application."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests import databases
from tests.unit.portal.markup import Markup
from tests.unit.portal.people import Portal

from oxlo.control import context, public
from oxlo.fleet import registry
from oxlo.fleet.registry import Replica, ReplicaList, ReplicaState
from oxlo.portal.site import Site
from oxlo.settings import Settings
from oxlo.testing import replicas

NOW = 1_800_000_000.0
BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
BASE = "https://ai.example.org"


def replica(model: str, state: ReplicaState, **fields: Any) -> Replica:
    """A replica that has been in its state for an hour, and was warmed up before."""
    warmed = {"first_ms": 84.0, "warm_ms": 80.0, "since": NOW - 3600}
    return replicas.replica(model, state, **warmed | fields)


def serve(settings: Settings, *listed: Replica) -> None:
    """Write the list of replicas, as the fleet does."""
    registry.write(settings.replicas_file, ReplicaList(NOW, listed))


@asynccontextmanager
async def visiting(settings: Settings) -> AsyncIterator[tuple[httpx2.AsyncClient, Site]]:
    """A browser at an installation, and the site's services."""
    async with databases.sqlite(settings.database) as database:
        app = public.app(context.build(settings, database, clock=lambda: NOW))
        transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(
            transport=transport, base_url="http://control", headers=BROWSER
        ) as client:
            yield client, Site.carried(app)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a fresh installation."""
    settings = Settings(home=tmp_path, public_url=BASE)
    settings.prepare()
    return settings


@pytest.fixture
async def browser(settings: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    """A client with a browser's headers, not signed in."""
    async with visiting(settings) as (client, _):
        yield client


@pytest.fixture
async def site(settings: Settings) -> AsyncIterator[Site]:
    """The site's services."""
    async with visiting(settings) as (_, site):
        yield site


@pytest.fixture(scope="session")
def crawled(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, httpx2.Response]:
    """Every public page by path, found by following links."""
    settings = Settings(home=tmp_path_factory.mktemp("crawled"), public_url=BASE)
    settings.prepare()
    serve(
        settings,
        replica("smollm2-135m", ReplicaState.READY),
        replica("kokoro-82m", ReplicaState.SICK),
    )
    return asyncio.run(_crawl(settings))


async def _crawl(settings: Settings) -> Mapping[str, httpx2.Response]:
    found: dict[str, httpx2.Response] = {}
    waiting = ["/", "/models?ready=1", "/pricing?calls=5000", "/docs/search?q=retry", "/status"]
    async with visiting(settings) as (client, _):
        while waiting:
            address = waiting.pop()
            if address not in found:
                found[address] = await client.get(address)
                waiting += links(found[address])
    return found


def links(page: httpx2.Response) -> Iterable[str]:
    """Internal links of a page, without fragments."""
    if "location" in page.headers:
        return [page.headers["location"]]
    if not page.headers.get("content-type", "").startswith("text/html"):
        return []
    leads = Markup.of(page.text).values("a", "href")
    return [link.partition("#")[0] for link in leads if link.startswith("/")]


@pytest.fixture
async def portal(tmp_path: Path) -> AsyncIterator[Portal]:
    """An installation served over plain HTTP, as on a laptop."""
    settings = Settings(home=tmp_path)
    settings.prepare()
    async with opened(settings) as portal:
        yield portal


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Portal]:
    """The website of an installation with these settings."""
    async with databases.sqlite(settings.database) as database:
        yield Portal(settings, database)
