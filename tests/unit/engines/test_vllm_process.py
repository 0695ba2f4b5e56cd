"""A vLLM engine as processes: a program that takes vLLM's flags and behaves as vLLM does."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest
from tests import models
from tests.waiting import PATIENCE, until

from oxlo.catalogue import Variant
from oxlo.engines.base import EngineSpec, Launch
from oxlo.engines.vllm import Vllm
from oxlo.fleet.fetch import fetch
from oxlo.fleet.registry import ReplicaState
from oxlo.hardware.sizing import Machine
from oxlo.settings import Settings
from oxlo.testing.fleet import WatchedHost
from oxlo.testing.vllm import Plan

MODEL = models.model(abilities=("chat", "json"), context_length=8192)

#: A fleet that is killed: it starts an engine and says when it is there.
PARENT = """
import asyncio, logging, sys, msgspec
from oxlo.engines.base import EngineSpec, Launch
from oxlo.fleet.process import EngineProcess, log_file
from pathlib import Path

async def main():
    launch = msgspec.json.decode(sys.stdin.readline(), type=Launch)
    process = await EngineProcess.start(launch, log_file(Path(sys.argv[1])))
    print(await process.listening(), flush=True)
    await process.exited()

asyncio.run(main())
"""

Plans = Callable[[Plan], Launch]


@pytest.fixture
def planned(tmp_path: Path) -> Plans:
    """Launches of a model whose program does as the plan says."""
    program = tmp_path / "vllm"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m oxlo.testing.vllm "$@"\n')
    program.chmod(0o755)
    folder = tmp_path / "weights"
    folder.mkdir()

    def launch(plan: Plan) -> Launch:
        (folder / "double.json").write_bytes(msgspec.json.encode(plan))
        settings = Settings(home=tmp_path, vllm=str(program))
        variant = Variant(hardware="a100", engine="vllm", args={"max_num_seqs": 2})
        return Vllm().launch(EngineSpec(MODEL, variant, settings, [folder], Machine(2, 8_000)))

    return launch


@pytest.fixture
async def start(planned: Plans, tmp_path: Path) -> AsyncIterator[Callable[..., WatchedHost]]:
    """Starts hosts, and stops them in the end."""
    started: list[WatchedHost] = []

    def begin(plan: Plan | None = None, stall: float = 60) -> WatchedHost:
        started.append(WatchedHost(planned(plan or Plan()), tmp_path, stall))
        return started[-1]

    yield begin
    for watched in started:
        await watched.end()


Start = Callable[..., WatchedHost]


def worker(log: Path) -> int:
    """The process that the program started, as its log says."""
    return int(re.findall(r"worker (\d+)", log.read_text())[-1])


def command_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().split()[3])


async def gone(pid: int) -> None:
    """Return when the process has ended: dead, or dead and not yet reaped by init."""
    async with asyncio.timeout(PATIENCE):
        while is_running(pid):
            await asyncio.sleep(0.02)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


linux = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")


async def test_ready_once_it_was_warmed(start: Start) -> None:
    """It answers with its key only, under the model's id, with as many slots as it was told."""
    ready = await start().ready()
    assert (ready.dialect, ready.engine_model, ready.slots) == ("vllm", "m", 2)
    assert ready.first_ms
    listed = await fetch(ready.address, "/v1/models", api_key=ready.api_key, deadline=PATIENCE)
    assert b'"m"' in listed.body
    assert (await fetch(ready.address, "/v1/models", deadline=PATIENCE)).status == 401


@linux
async def test_the_key_is_on_no_command_line(start: Start, tmp_path: Path) -> None:
    """Other users of the machine can list command lines."""
    watched = start()
    ready = await watched.ready()
    assert watched.host.pid
    program = parent_of(worker(tmp_path / "m-1.log"))
    assert "vllm" in command_of(program)
    for pid in (watched.host.pid, program):
        assert ready.api_key not in command_of(pid)


async def test_how_far_it_is(start: Start, tmp_path: Path) -> None:
    """While it loads, the replica's reason is what it said last, steps of a bar included."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    watched = start(Plan(says="shards: 10%\rshards: 60%", until=str(gate)))
    await watched.until(lambda r: r.reason.startswith("being started: worker"))
    assert "shards: 60%\n" in (tmp_path / "m-1.log").read_text()
    await asyncio.to_thread(gate.write_bytes, b"go")
    await watched.ready()


async def test_failure_is_explained(start: Start) -> None:
    """What the program's log gives as the cause is the replica's reason."""
    watched = start(Plan(says="(EngineCore pid=7) ValueError: No memory", ends=3))
    sick = await watched.sick()
    assert "the engine ended with status 3: ValueError: No memory" in sick.reason


@linux
async def test_stopped_with_its_workers(start: Start, tmp_path: Path) -> None:
    """A worker that ignores SIGTERM does not keep the GPU."""
    watched = start()
    await watched.ready()
    left = worker(tmp_path / "m-1.log")
    await watched.end()
    assert watched.host.replica.state is ReplicaState.STOPPED
    await gone(left)


@linux
async def test_killed_with_its_workers(start: Start, tmp_path: Path) -> None:
    """kill -9 of the child: program and worker go too, and a new generation serves."""
    watched = start()
    first = await watched.ready()
    left = worker(tmp_path / "m-1.log")
    assert watched.host.pid
    os.kill(watched.host.pid, signal.SIGKILL)
    await gone(left)
    second = await watched.ready(generation=2)
    assert second.pid != first.pid


async def test_stalled_engine_is_restarted(start: Start) -> None:
    """A call under way and no token: its own counters say that it is sick."""
    watched = start(stall=0.5)
    ready = await watched.ready()
    key = ready.api_key
    await fetch(ready.address, "/_script", body={"silent": True}, api_key=key, deadline=PATIENCE)
    body = {"model": "m", "messages": []}
    call = fetch(ready.address, "/v1/chat/completions", body=body, api_key=key, deadline=60)
    asking = asyncio.ensure_future(call)
    assert "1 calls under way and no progress" in (await watched.sick()).reason
    await watched.ready(generation=2)
    await asyncio.wait({asking})
    assert asking.exception()


@linux
async def test_nothing_outlives_the_fleet(planned: Plans, tmp_path: Path) -> None:
    """kill -9 of the fleet ends the child, the program and its worker."""
    pipe = asyncio.subprocess.PIPE
    log = tmp_path / "engine.log"
    arguments = (sys.executable, "-c", PARENT, str(log))
    parent = await asyncio.create_subprocess_exec(*arguments, stdin=pipe, stdout=pipe)
    assert parent.stdin
    assert parent.stdout
    parent.stdin.write(msgspec.json.encode(planned(Plan())) + b"\n")
    assert (await parent.stdout.readline()).startswith(b"http://127.0.0.1:")
    await until(lambda: "worker" in log.read_text())
    parent.kill()
    await parent.wait()
    await gone(worker(log))
