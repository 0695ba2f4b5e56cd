"""Look-ups at control."""

import asyncio
from pathlib import Path

from tests.waiting import until

from oxlo.errors import ApiError, Overloaded
from oxlo.gateway.lookup import Lookup
from oxlo.plans.caller import Caller, Changes


async def test_control_hangs(tmp_path: Path) -> None:
    """A control that accepts requests and never answers counts as unreachable; nothing piles up."""
    connections: list[asyncio.StreamWriter] = []
    left: list[bytes] = []

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        left.append(await reader.read())
        writer.close()

    server = await asyncio.start_unix_server(hang, str(tmp_path / "control.sock"))
    lookup = Lookup(tmp_path / "control.sock", asyncio.get_running_loop(), seconds=0.1)
    callers: list[Caller | ApiError | None] = []
    changes: list[Changes | None] = []
    lookup.key("digest", callers.append)
    lookup.changes(0, changes.append)
    await until(lambda: callers and changes)
    assert isinstance(callers[0], Overloaded)
    assert changes == [None]
    await until(lambda: len(left) == len(connections) == 2)
    server.close()
