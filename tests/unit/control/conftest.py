"""A control process on real files, with its applications on real unix sockets."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette
from tests import databases
from tests.waiting import PATIENCE

from oxlo.asgi import unixserver
from oxlo.control import context, private, public
from oxlo.control.context import Control
from oxlo.settings import Settings

Serving = Callable[[Starlette, Path], AbstractAsyncContextManager[httpx2.AsyncClient]]

NOW = 1_800_000_000.0


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a new installation."""
    settings = Settings(home=tmp_path, metrics_token="open-sesame")
    settings.prepare()
    return settings


@pytest.fixture
async def control(settings: Settings) -> AsyncIterator[Control]:
    """Control's dependencies, with a migrated database and a fixed clock."""
    async with databases.sqlite(settings.database) as database:
        yield context.build(settings, database, clock=lambda: NOW)


@asynccontextmanager
async def _serving(app: Starlette, path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    """Serve an application on a unix socket; yields a client."""
    stop = asyncio.Event()
    task = asyncio.create_task(unixserver.serve(app, unixserver.bind(path), stop))
    transport = httpx2.AsyncHTTPTransport(uds=str(path))
    given = {"base_url": "http://control", "timeout": PATIENCE}
    async with httpx2.AsyncClient(transport=transport, **given) as client:
        yield client
    stop.set()
    await task


@pytest.fixture
def serving() -> Serving:
    """Serves any application on a socket, as `async with serving(app, path) as client`."""
    return _serving


@pytest.fixture
async def public_client(control: Control) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the public application."""
    async with _serving(public.app(control), control.settings.control_socket) as client:
        yield client


@pytest.fixture
async def private_client(control: Control) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the private application."""
    async with _serving(private.app(control), control.settings.control_private_socket) as client:
        yield client
