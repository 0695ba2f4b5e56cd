"""The supervisor, with small shell scripts as its children."""

import asyncio
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.waiting import PATIENCE

from oxlo.cli import supervisor
from oxlo.cli.supervisor import Child, LogLine, StartFailed, Supervisor

UNTIL_TOLD = "trap 'echo {name} >> {log}; exit 0' TERM; echo up >&2; while :; do sleep 0.02; done"


class Stage:
    """Children that write to one file, and their log lines."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "said"
        self.logs = folder
        self.told: list[tuple[str, LogLine]] = []
        self.heard = asyncio.Event()
        self.stop = asyncio.Event()

    def child(self, name: str, script: str, grace: float = PATIENCE) -> Child:
        return Child(name, ("sh", "-c", script.format(name=name, log=self.log)), grace)

    def tell(self, name: str, line: LogLine) -> None:
        self.told.append((name, line))
        self.heard.set()

    async def until(self, done: Callable[[], bool]) -> None:
        """Wait for log lines until `done`."""
        while not done():
            await self.heard.wait()
            self.heard.clear()

    def events(self, name: str) -> list[str]:
        return [line.event for told, line in self.told if told == name]

    def begin(self, *children: Child) -> tuple[Supervisor, "asyncio.Task[None]"]:
        keeping = Supervisor(children, self.logs, self.tell)
        return keeping, asyncio.create_task(keeping.run(self.stop))


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


async def test_stops_in_order(stage: Stage) -> None:
    """Each child has ended before the next is stopped."""
    children = [stage.child(name, UNTIL_TOLD) for name in ("gateway", "fleet", "control")]
    _, running = stage.begin(*children)
    await stage.until(lambda: len(stage.told) == 3)
    stage.stop.set()
    await running
    assert stage.log.read_text().split() == ["gateway", "fleet", "control"]


async def test_group_stops_together(stage: Stage) -> None:
    """Gateways drain at the same time: each of these ends only once the other was told to."""
    script = (
        "trap 'touch {{log}}.{{name}}; until [ -e {{log}}.{other} ]; do sleep 0.02; done; "
        "echo {{name}} >> {{log}}; exit 0' TERM; echo up >&2; while :; do sleep 0.02; done"
    )
    gateways = [
        replace(stage.child(name, script.format(other=other)), group="gateway")
        for name, other in (("g1", "g2"), ("g2", "g1"))
    ]
    _, running = stage.begin(*gateways, stage.child("control", UNTIL_TOLD))
    await stage.until(lambda: len(stage.told) == 3)
    stage.stop.set()
    await running
    assert sorted(stage.log.read_text().split()[:2]) == ["g1", "g2"]
    assert stage.log.read_text().split()[2:] == ["control"]


async def test_dead_child_is_started_again(stage: Stage) -> None:
    """The reason is the signal, not the last log line."""
    _, running = stage.begin(stage.child("gateway", "echo $$ >&2; while :; do sleep 0.02; done"))
    await stage.until(lambda: len(stage.told) == 1)
    os.kill(int(stage.told[0][1].event), signal.SIGKILL)
    await stage.until(lambda: len(stage.told) == 3)
    stage.stop.set()
    await running
    assert stage.told[1][1] == LogLine(
        "child_died", "warning", "killed by signal 9; again in 0.5 s"
    )


async def test_no_wait_for_a_restart_at_the_end(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stop during the backoff ends it."""
    monkeypatch.setattr("oxlo.fleet.backoff._FIRST", 3600.0)
    monkeypatch.setattr("oxlo.fleet.backoff._LONGEST", 3600.0)
    _, running = stage.begin(stage.child("gateway", "exit 1"))
    await stage.until(lambda: stage.events("gateway") == ["child_died"])
    stage.stop.set()
    await asyncio.wait_for(running, PATIENCE)


async def test_grandchild_holds_nothing_up(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A grandchild that keeps stderr open blocks neither restart nor stop."""
    monkeypatch.setattr(supervisor, "_OUTPUT_SECONDS", 0.05)
    script = "sleep 600 & echo $$ $! >&2; trap 'exit 0' TERM; while :; do sleep 0.02; done"
    _, running = stage.begin(stage.child("valkey", script))
    await stage.until(lambda: len(stage.told) == 1)
    child, orphan = map(int, stage.told[0][1].event.split())
    os.kill(child, signal.SIGKILL)
    await stage.until(lambda: len(stage.told) == 3)
    stage.stop.set()
    await asyncio.wait_for(running, PATIENCE)
    for pid in (orphan, int(stage.told[2][1].event.split()[1])):
        os.kill(pid, signal.SIGKILL)


async def test_cannot_start(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that never starts ends all, with its last message."""
    monkeypatch.setattr("oxlo.fleet.backoff._FIRST", 0.0)
    _, running = stage.begin(
        stage.child("control", UNTIL_TOLD), stage.child("gateway", "echo no such plan >&2; exit 3")
    )
    with pytest.raises(StartFailed, match="gateway cannot start: no such plan"):
        await running
    assert len(stage.events("gateway")) == 2 * supervisor.START_FAILURES - 1


async def test_long_lines(stage: Stage) -> None:
    """Lines of any length are logged completely."""
    script = "head -c 300000 /dev/zero | tr '\\0' x >&2; echo >&2; " + UNTIL_TOLD
    _, running = stage.begin(stage.child("gateway", script))
    await stage.until(lambda: "up" in stage.events("gateway"))
    stage.stop.set()
    await running
    written = (stage.logs / "gateway.log").read_text()
    assert written.count("x") == 300_000


async def test_stubborn_child_is_killed(stage: Stage) -> None:
    """After the grace period a child is killed."""
    script = "trap '' TERM; echo $$ >&2; while :; do sleep 0.02; done"
    _, running = stage.begin(stage.child("gateway", script, grace=0.05))
    await stage.until(lambda: bool(stage.told))
    stage.stop.set()
    await running
    with pytest.raises(ProcessLookupError):
        os.kill(int(stage.told[0][1].event), 0)


async def test_hurry(stage: Stage) -> None:
    """Running children are killed."""
    script = "trap '' TERM; echo up >&2; while :; do sleep 0.02; done"
    keeping, running = stage.begin(stage.child("gateway", script, grace=3600))
    await stage.until(lambda: bool(stage.told))
    stage.stop.set()
    keeping.kill()
    await asyncio.wait_for(running, PATIENCE)


async def test_json_lines_are_read(stage: Stage) -> None:
    """Selected fields of JSON lines are reported; the log file has all."""
    line = '{"event": "sweep_failed", "level": "error", "error": "disk", "more": 1}'
    child = Child("gateway", ("sh", "-c", f"echo '{line}' >&2; exec cat"), PATIENCE)
    _, running = stage.begin(child)
    await stage.until(lambda: bool(stage.told))
    stage.stop.set()
    await running
    assert stage.told == [("gateway", LogLine("sweep_failed", "error", "", "disk"))]
    assert (stage.logs / "gateway.log").read_text() == line + "\n"
