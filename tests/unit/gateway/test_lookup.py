"""Look-ups at control, and the cache of their results."""

import asyncio
from pathlib import Path

from tests.waiting import until

from oxlo.errors import ApiError, Overloaded
from oxlo.gateway.auth import KNOWN_LIMIT, Keys
from oxlo.gateway.lookup import Lookup
from oxlo.plans.caller import Caller


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
    counters: list[int | None] = []
    lookup.key("digest", callers.append)
    lookup.changes(counters.append)
    await until(lambda: callers and counters)
    assert isinstance(callers[0], Overloaded)
    assert counters == [None]
    await until(lambda: len(left) == len(connections) == 2)
    server.close()


async def test_known_callers_are_bounded(tmp_path: Path) -> None:
    """However many keys are used and however often accounts change, the newest callers are kept."""
    keys = Keys(Lookup(tmp_path / "control.sock", asyncio.get_running_loop()), b"secret")
    caller = Caller(account="acct_1", account_name="A", key="key_1", plan="free")
    for change in range(3):
        for number in range(KNOWN_LIMIT // 2 + 1):
            keys.remember(f"{change} {number}", caller)
        keys.invalidate(change)
    assert len(keys._stale) == KNOWN_LIMIT
    assert f"2 {KNOWN_LIMIT // 2}" in keys._stale
