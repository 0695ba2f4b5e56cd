"""Sockets that only their user can reach, and the process around them."""

import asyncio
import socket
import stat
from pathlib import Path

import pytest

from oxlo.control import process, server, unixhttp
from oxlo.settings import Settings
from oxlo.store import calls
from oxlo.store.database import Database
from oxlo.testing import journal


def test_socket_is_private(tmp_path: Path) -> None:
    """Nobody but the owner may connect."""
    path = tmp_path / "a.sock"
    with server.bind(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_dead_socket_is_replaced(tmp_path: Path) -> None:
    """What a killed process left behind does not stop the next one."""
    path = tmp_path / "a.sock"
    server.bind(path).close()
    with server.bind(path), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_living_socket_is_left_alone(tmp_path: Path) -> None:
    """Two controls on one installation: the second one says so."""
    path = tmp_path / "a.sock"
    with server.bind(path), pytest.raises(server.SocketInUse, match="another control"):
        server.bind(path)


async def _ready(settings: Settings) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                await unixhttp.get(settings.control_socket, "/healthz")
            except unixhttp.UnixHttpError:
                await asyncio.sleep(0.01)
            else:
                return


async def test_process_drains_at_its_end(settings: Settings) -> None:
    """From start to stop: sockets come and go, and what was journalled last is in SQL."""
    stop = asyncio.Event()
    running = asyncio.create_task(process.run(settings, stop))
    await _ready(settings)
    assert b"counter" in await unixhttp.get(settings.control_private_socket, "/changes")
    stop.set()
    journal.append(settings.journal_dir / "g-000001.jsonl", journal.lines(journal.settled("r")))
    await running
    assert not settings.control_socket.exists()
    database = Database(settings.database)
    async with database.read() as db:
        assert await calls.find(db, "r") is not None
    await database.close()
