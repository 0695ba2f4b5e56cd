"""Look-ups at control, and the cache of their results."""

import asyncio
from pathlib import Path

from tests.waiting import until

from oxlo.errors import ApiError, Overloaded
from oxlo.gateway.auth import CHANGED_LIMIT, KNOWN_LIMIT, Keys
from oxlo.gateway.lookup import Lookup
from oxlo.plans import apikey
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


async def test_caches_are_bounded(tmp_path: Path) -> None:
    """However many keys are used and however many accounts change, the newest callers are kept."""
    keys = Keys(Lookup(tmp_path / "control.sock", asyncio.get_running_loop()), b"secret")
    caller = Caller(account="acct_1", account_name="A", key="key_1", plan="free", as_of=2)
    for number in range(KNOWN_LIMIT + 1):
        keys.remember(apikey.digest(str(number)), caller)
    assert keys.known("0") is None
    assert keys.known("1") == caller
    keys.apply(Changes(counter=2, accounts=frozenset(f"{n}" for n in range(CHANGED_LIMIT))))
    assert keys.known("1") == caller
    keys.apply(Changes(counter=3, accounts=frozenset({"acct_2"})))  # one too many
    assert keys.known("1") is None
    assert not keys._changed
