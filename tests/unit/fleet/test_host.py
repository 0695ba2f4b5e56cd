"""One replica's life, with the shipped double as its process."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.ports import free_port

from oxlo.engines.base import Launch
from oxlo.fleet.fetch import Refused, fetch
from oxlo.fleet.registry import ReplicaState
from oxlo.fleet.turns import Turns
from oxlo.testing.engine import Canned, EngineDouble, Script
from oxlo.testing.fleet import WatchedHost

DOUBLE = ("-m", "oxlo.testing.engine", "--with-parent", "--dialect", "llamacpp")
LAUNCH = Launch(
    model="m",
    kind="llamacpp",
    dialect="llamacpp",
    engine_model="double",
    slots=4,
    context_length=8192,
    abilities=frozenset({"chat"}),
    argv=(sys.executable, *DOUBLE),
    arguments={"slots": 4},
)
REMOTE = msgspec.structs.replace(LAUNCH, kind="upstream", argv=())


Start = Callable[..., WatchedHost]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Starts hosts, and stops them in the end."""
    started: list[WatchedHost] = []

    def begin(launch: Launch, stall: float = 60, **shared: Any) -> WatchedHost:
        started.append(WatchedHost(launch, tmp_path, stall, **shared))
        return started[-1]

    yield begin
    for watched in started:
        await watched.end()


async def busy(address: str) -> None:
    """Return when an engine has a call under way."""
    while b"requests_processing 1" not in (await fetch(address, "/metrics", deadline=60)).body:
        await asyncio.sleep(0)


async def test_metrics_that_cannot_be_read(start: Start) -> None:
    """An engine that reports no numbers is sick and says why; it is tried again, and then ready."""
    async with EngineDouble("llamacpp") as engine:
        engine.canned["/metrics"] = Canned(pieces=(b"llamacpp:requests_processing 1.2.3\n",))
        watched = start(msgspec.structs.replace(REMOTE, address=engine.address))
        sick = await watched.until(lambda r: r.state is ReplicaState.SICK)
        assert "/metrics cannot be read: could not convert" in sick.reason
        del engine.canned["/metrics"]
        await watched.ready()


async def test_starts_warms_serves_stops(start: Start) -> None:
    """Each state is told in its order, with the timings once it is ready."""
    watched = start(LAUNCH)
    ready = await watched.ready()
    await watched.host.stop(drain=0)
    states = [str(replica.state) for replica in watched.reports]
    assert states == ["starting", "warming", "ready", "draining", "stopped"]
    assert ready.first_ms
    assert ready.warm_ms


async def test_killed_engine_is_restarted(start: Start) -> None:
    """kill -9: sick with the reason, then ready again with the next generation."""
    watched = start(LAUNCH)
    first = await watched.ready()
    assert watched.host.pid
    os.kill(watched.host.pid, signal.SIGKILL)
    second = await watched.ready(generation=2)
    assert "killed by signal 9" in (await watched.sick()).reason
    assert second.pid != first.pid


async def test_stalled_engine_is_restarted(start: Start) -> None:
    """Work outstanding and no progress: the process is replaced."""
    watched = start(LAUNCH, stall=0.5)
    ready = await watched.ready()
    await fetch(ready.address, "/_script", body={"silent": True}, deadline=60)
    call = asyncio.ensure_future(
        fetch(ready.address, "/v1/chat/completions", body={"messages": []}, deadline=60)
    )
    assert "1 calls under way and no progress" in (await watched.sick()).reason
    await watched.ready(generation=2)
    with pytest.raises(Refused):
        await call


async def test_stopped_as_it_comes_up(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stop in the very turn in which the engine tells its address ends the watch."""
    watched = start(REMOTE)
    stops: list[asyncio.Task[None]] = []

    async def address() -> str:
        loop = asyncio.get_running_loop()
        loop.call_soon(lambda: stops.append(loop.create_task(watched.host.stop(drain=0))))
        return "http://127.0.0.1:1"

    monkeypatch.setattr(watched.host, "_address", address)
    await watched.until(lambda r: r.state is ReplicaState.STOPPED)
    await asyncio.gather(*stops)


async def test_strays_hold_nothing_up(start: Start) -> None:
    """A process that left the engine's group, and holds its pipes, keeps no stop waiting."""
    stray = "import os; os.setsid(); import time; time.sleep(600)"
    parent = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", {stray!r}])
while os.getpgid(child.pid) == os.getpgid(0):
    time.sleep(0.01)
print(child.pid, flush=True)
time.sleep(600)
"""
    argv = (sys.executable, "-c", "import os" + parent)
    watched = start(msgspec.structs.replace(LAUNCH, argv=argv))
    told = await watched.until(lambda r: r.reason.removeprefix("being started: ").isdigit())
    try:
        async with asyncio.timeout(60):
            await watched.host.stop(drain=0)
    finally:
        os.kill(int(told.reason.removeprefix("being started: ")), signal.SIGKILL)


async def test_start_that_fails_is_explained(start: Start) -> None:
    """A process that ends before it listens: its status and its own words are the reason."""
    words = '{"event":"failed","reason":"no such model"}'
    argv = (sys.executable, "-c", f"print('{words}'); raise SystemExit(3)")
    watched = start(msgspec.structs.replace(LAUNCH, argv=argv))
    assert "ended with status 3: no such model" in (await watched.sick()).reason
    again = await watched.until(lambda r: r.generation == 2)
    assert again.reason.startswith("being started again after: the engine ended with status 3")


async def test_missing_program_is_explained(start: Start) -> None:
    """An interpreter that is not there is a reason, not a crash of the fleet."""
    watched = start(msgspec.structs.replace(LAUNCH, argv=("/nonexistent/engine",)))
    assert "/nonexistent/engine" in (await watched.sick()).reason


async def test_drain_waits_for_calls(start: Start) -> None:
    """A call that runs when the fleet is stopped gets its whole answer."""
    watched = start(LAUNCH)
    ready = await watched.ready()
    script = {"text": "a b c", "middle_gate": "go", "after": 1}
    await fetch(ready.address, "/_script", body=script, deadline=60)
    ask = {"messages": [], "stream": True}
    call = asyncio.ensure_future(
        fetch(ready.address, "/v1/chat/completions", body=ask, deadline=60)
    )
    await busy(ready.address)
    stop = asyncio.ensure_future(watched.host.stop(drain=60))
    await watched.until(lambda r: r.state is ReplicaState.DRAINING)
    await fetch(ready.address, "/_gate/go", body={}, deadline=60)
    assert (await call).body.endswith(b"data: [DONE]\n\n")
    await stop


async def test_stop_while_starting(start: Start) -> None:
    """An engine that never got to listen is not waited for."""
    argv = (sys.executable, "-c", "import sys; sys.stdin.read()")
    watched = start(msgspec.structs.replace(LAUNCH, argv=argv))
    await watched.until(lambda r: r.state is ReplicaState.STARTING)
    await watched.host.stop(drain=3600)
    assert watched.host.replica.state is ReplicaState.STOPPED


async def test_engines_of_one_card_start_in_turns(start: Start) -> None:
    """The second waits, and says so, while the first loads; one on another card does not."""
    turns = Turns()
    argv = (sys.executable, "-c", "import sys; sys.stdin.read()")
    loading = start(msgspec.structs.replace(LAUNCH, argv=argv), cards=(0,), turns=turns)
    await loading.until(lambda r: r.reason == "being started")
    second = start(LAUNCH, cards=(0, 1), turns=turns)
    waits = await second.until(lambda r: r.state is ReplicaState.STARTING)
    await start(LAUNCH, cards=(2,), turns=turns).ready()
    assert "waits for another engine" in waits.reason
    assert second.reports[-1] is waits
    await loading.host.stop(drain=0)
    await second.ready()


async def test_drain_has_a_limit(start: Start) -> None:
    """A call that never ends does not keep the fleet alive."""
    watched = start(LAUNCH)
    ready = await watched.ready()
    await fetch(ready.address, "/_script", body={"silent": True}, deadline=60)
    call = asyncio.ensure_future(
        fetch(ready.address, "/v1/chat/completions", body={"messages": []}, deadline=60)
    )
    await busy(ready.address)
    await watched.host.stop(drain=0.1)
    assert watched.host.replica.state is ReplicaState.STOPPED
    with pytest.raises(Refused):
        await call


async def test_upstream_is_not_restarted(start: Start) -> None:
    """A remote server that fails is sick, and ready again when it answers: same generation."""
    async with EngineDouble("llamacpp", port=free_port()) as double:
        watched = start(msgspec.structs.replace(REMOTE, address=double.address))
        await watched.ready()
    sick = await watched.sick()
    assert "refused 3 polls in a row" in sick.reason
    watched.reports.clear()
    async with EngineDouble("llamacpp", port=double.port):
        assert (await watched.ready()).generation == 1


async def test_upstream_that_refuses_the_key(start: Start) -> None:
    """A wrong key is said in words."""
    async with EngineDouble("openai", api_key="right") as double:
        remote = msgspec.structs.replace(REMOTE, dialect="openai", address=double.address)
        watched = start(remote)
        assert "refuses our key: status 401" in (await watched.sick()).reason


async def test_upstream_without_warm_up(start: Start) -> None:
    """`warm = false` sends no request that costs money."""
    async with EngineDouble("openai") as double:
        double.default = Script(status=500)
        remote = msgspec.structs.replace(
            REMOTE, dialect="openai", address=double.address, warm=False
        )
        ready = await start(remote).ready()
    assert ready.first_ms is None
    assert double.calls == []
