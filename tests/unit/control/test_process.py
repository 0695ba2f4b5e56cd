"""The lifetime of the control process."""

import asyncio
from dataclasses import replace

import pytest
from tests.processes import control_ready, told

from oxlo.control import process
from oxlo.settings import Settings, SettingsError
from oxlo.store import calls
from oxlo.store.database import Database
from oxlo.testing import journal


async def test_process_drains_at_its_end(settings: Settings) -> None:
    """Sockets are created and removed, and the last records are drained."""
    stop = asyncio.Event()
    running = asyncio.create_task(process.run(settings, stop))
    await control_ready(settings)
    assert b"counter" in await told(settings.control_private_socket, "/changes")
    stop.set()
    journal.append(settings.journal_dir / "g-000001.jsonl", journal.lines(journal.settled("r")))
    await running
    assert not settings.control_socket.exists()
    database = Database(settings.database)
    async with database.read() as db:
        assert await calls.find(db, "r") is not None
    await database.close()


async def test_wrong_setting_is_one_error(settings: Settings) -> None:
    """Invalid settings are reported as an error, and no socket is left."""
    for wrong in ({"github_client": "x"}, {"smtp_url": "http://mail"}):
        with pytest.raises(SettingsError, match="OXLO_"):
            await process.run(replace(settings, **wrong), asyncio.Event())  # type: ignore[arg-type]
        assert not settings.control_socket.exists()
