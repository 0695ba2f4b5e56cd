"""A real server on a real port, with an application that records what it receives."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.waiting import PATIENCE

from oxlo.gateway.body import Body, Budget
from oxlo.gateway.exchange import Exchange
from oxlo.gateway.http import protocols
from oxlo.gateway.server import Server
from oxlo.gateway.spool import Spool
from oxlo.settings import Settings
from oxlo.testing.clock import FakeClock


class Echo:
    """Echoes the body; records events."""

    def __init__(self) -> None:
        self.gone_count = 0
        self.crash_count = 0
        self.hold = self.crash = False
        self.opened: list[Exchange] = []
        self.bodies: list[Body] = []
        self.limit = 1 << 20

    def open(self, exchange: Exchange) -> "EchoHandler":
        exchange.body_limit = self.limit
        self.opened.append(exchange)
        if exchange.target == b"/crash-at-once":
            raise RuntimeError("a bug")
        return EchoHandler(self, exchange)


class EchoHandler:
    def __init__(self, echo: Echo, exchange: Exchange) -> None:
        self.echo = echo
        self.exchange = exchange

    def body(self, body: Body) -> None:
        self.echo.bodies.append(body)
        if self.echo.crash or self.exchange.target == b"/crash":
            raise RuntimeError("a bug")
        if not self.echo.hold:
            self.exchange.reply(200, b"", self.exchange.target + b"|" + body.read())

    def gone(self) -> None:
        self.echo.gone_count += 1

    def crashed(self) -> None:
        self.echo.crash_count += 1

    def paused(self) -> None:
        pass

    def resumed(self) -> None:
        pass


class Served:
    """A served application, its fake clock, and raw connections to it."""

    def __init__(self, echo: Echo, server: Server, port: int) -> None:
        self.echo = echo
        self.server = server
        self.port = port
        self.writers: list[asyncio.StreamWriter] = []

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writers.append(writer)
        return reader, writer

    async def say(self, data: bytes) -> bytes:
        """Send bytes, then read until the server closes."""
        reader, writer = await self.connect()
        writer.write(data)
        return await asyncio.wait_for(reader.read(), PATIENCE)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    loop = asyncio.get_running_loop()
    echo = Echo()
    clock = FakeClock(1000.0)
    spool = Spool(tmp_path / "spool", loop)
    spool.prepare()
    server = Server(echo, Settings(), Budget(1 << 24, spool), clock, lambda exchange: None)
    listener = await loop.create_server(protocols(server), "127.0.0.1", 0)
    one = Served(echo, server, listener.sockets[0].getsockname()[1])
    one.clock = clock  # type: ignore[attr-defined]
    yield one
    for writer in one.writers:
        writer.close()
    listener.close()
    for connection in list(server.connections):
        connection.abort()
    await asyncio.sleep(0)
