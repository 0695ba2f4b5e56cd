"""The fleet of one machine, with doubles for engines."""

import asyncio
import hashlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tests import models
from tests.disks import full_disk
from tests.waiting import PATIENCE, until

from oxlo.catalogue import Catalogue, Model, Source, Variant, WeightsFile
from oxlo.engines.base import Launch
from oxlo.fleet import minimum, orders, registry
from oxlo.fleet.assign import Engine
from oxlo.fleet.local import LocalFleet
from oxlo.fleet.orders import Order, give
from oxlo.fleet.registry import Replica, ReplicaState
from oxlo.hardware.sizing import Machine
from oxlo.settings import Settings
from oxlo.testing.engine import EngineDouble

FILE = WeightsFile(name="m.gguf", sha256="0" * 64, size=1, sources=(Source(folder=Path("/")),))


def model(variant: Variant, *weights: WeightsFile) -> Model:
    return models.model(context_length=4096, variants=(variant,), weights=weights)


def remote(address: str) -> Model:
    args = {"base_url": f"{address}/v1", "model": "double", "slots": 3}
    return model(Variant(hardware="remote", engine="upstream", args=args))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, drain_seconds=0)


@asynccontextmanager
async def running(known: Model, settings: Settings) -> AsyncIterator[LocalFleet]:
    fleet = LocalFleet(Catalogue([known]), settings, [known.id])
    task = asyncio.create_task(fleet.run())
    try:
        yield fleet
    finally:
        fleet.stop()
        await task


async def listed(settings: Settings, condition: Callable[[Replica], bool]) -> Replica:
    """The replica in the file, as gateways see it: they poll it too."""
    async with asyncio.timeout(PATIENCE):
        while True:
            for replica in registry.read(settings.replicas_file).replicas:
                if condition(replica):
                    return replica
            await asyncio.sleep(0.02)


async def test_list_says_where_the_engine_is(settings: Settings) -> None:
    """A ready replica is in the file with all that a gateway needs, and stopped at the end."""
    async with EngineDouble("openai") as double, running(remote(double.address), settings):
        ready = await listed(settings, lambda r: r.state is ReplicaState.READY)
        mode = settings.replicas_file.stat().st_mode & 0o777
    assert (ready.id, ready.address, ready.engine_model) == ("m-1", double.address, "double")
    assert (ready.slots, ready.dialect, ready.generation) == (3, "openai", 1)
    assert mode == 0o600
    (last,) = registry.read(settings.replicas_file).replicas
    assert last.state is ReplicaState.STOPPED


async def test_generation_rises_over_restarts(settings: Settings) -> None:
    """A new fleet's replica replaces that of the fleet before it."""
    async with EngineDouble("openai") as double:
        for generation in (1, 2):
            async with running(remote(double.address), settings):
                ready = await listed(settings, lambda r: r.state is ReplicaState.READY)
                assert ready.generation == generation


async def test_what_is_not_restarted(settings: Settings) -> None:
    """An order for what runs elsewhere, or not at all, says so and changes nothing."""
    async with EngineDouble("openai") as double, running(remote(double.address), settings) as fleet:
        ready = await listed(settings, lambda r: r.state is ReplicaState.READY)
        for model_id, reason in (("m", "m-1 is not ours to restart"), ("x", "no engine of 'x'")):
            told = [said async for said in give(Order(model_id), settings.fleet_socket)]
            assert [reason in said.error for said in told] == [True]
        assert fleet.replicas == (ready,)
        assert settings.fleet_socket.stat().st_mode & 0o777 == 0o600
    assert not settings.fleet_socket.exists()


async def test_fleet_that_ends_during_a_restart(settings: Settings) -> None:
    """An order is carried out only once the fleet has said so."""

    class Fleet:
        async def restart(self, model: str, report: Callable[[Replica], None]) -> None:
            report(replica)

    async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.close()

    async def told() -> list[tuple[str, str]]:
        given = give(Order("m"), settings.fleet_socket)
        return [(said.replica, said.error) async for said in given]

    async with EngineDouble("openai") as double, running(remote(double.address), settings):
        replica = await listed(settings, lambda r: r.state is ReplicaState.READY)
    async with orders.taken(Fleet(), settings.fleet_socket):
        assert await told() == [("m-1", "")]
    async with await asyncio.start_unix_server(leave, settings.fleet_socket):
        assert await told() == [("", "the fleet ended before all engines were replaced")]


def doubled(engine: Engine, settings: Settings, part: Machine) -> Launch:
    """The shipped double, as a process, in the place of any engine."""
    return Launch(
        model=engine.model.id,
        kind="llamacpp",
        dialect="llamacpp",
        engine_model="double",
        slots=1,
        context_length=8192,
        argv=(sys.executable, "-m", "oxlo.testing.engine", "--with-parent", "--dialect=llamacpp"),
    )


async def test_replacement_waits_for_the_minimum(settings: Settings) -> None:
    """An engine is not taken out while another of the two that have to be ready is down."""
    known = model(Variant(hardware="cpu", engine="llamacpp"))
    settings = replace(settings, min_replicas=("m=2",))
    fleet = LocalFleet(Catalogue([known]), settings, ["m"], launcher=doubled)
    running = asyncio.create_task(fleet.run())
    try:
        await listed(settings, lambda _: minimum.ready(fleet.replicas, "m") == 2)
        beside = await _replaced_while_the_other_dies(fleet)
    finally:
        fleet.stop()
        await running
    assert beside == ("m-2", ReplicaState.READY, 2)


async def test_an_engine_that_dies_on_a_full_disk(settings: Settings) -> None:
    """While the list cannot be written, engines are restarted as usual, and it follows later."""
    known = model(Variant(hardware="cpu", engine="llamacpp"))
    fleet = LocalFleet(Catalogue([known]), settings, ["m"], launcher=doubled)
    running = asyncio.create_task(fleet.run())
    try:
        first = await listed(settings, lambda r: r.state is ReplicaState.READY)
        with full_disk() as logs:
            os.kill(fleet.hosts["m-1"].pid or 0, signal.SIGKILL)
            await until(lambda: fleet.hosts["m-1"].replica.state is ReplicaState.SICK)
        assert "replicas.unwritten" in [entry["event"] for entry in logs]
        assert registry.read(settings.replicas_file).replicas == (first,)
        ready = await listed(settings, lambda r: r.generation == 2 and r.state == "ready")
    finally:
        fleet.stop()
        await running
    assert ready.pid != first.pid


async def _replaced_while_the_other_dies(fleet: LocalFleet) -> tuple[str, ReplicaState, int]:
    """What m-2, which was killed, was like when m-1's old engine was taken out."""
    seen: list[Replica] = []
    doomed = [fleet.hosts["m-2"].pid]

    def told(replica: Replica) -> None:
        first = replica.id == "m-1"
        if first and replica.state is ReplicaState.STARTING and doomed and (pid := doomed.pop()):
            os.kill(pid, signal.SIGKILL)
        if first and replica.state is ReplicaState.DRAINING:
            seen.extend(r for r in fleet.replicas if r.id == "m-2")

    await fleet.restart("m", told)
    return seen[0].id, seen[0].state, seen[0].generation


async def test_missing_weights(settings: Settings) -> None:
    """The operator is told the command that fetches them."""
    known = model(Variant(hardware="cpu", engine="llamacpp"), FILE)
    async with running(known, settings):
        stopped = await listed(settings, lambda r: r.state is ReplicaState.STOPPED)
    assert stopped.reason == "weights are missing: run `oxlo models pull m`"


@pytest.mark.parametrize(
    ("variant", "reason"),
    [
        (Variant(hardware="a100", engine="vllm"), "it runs on 1 x a100; here is no GPU"),
        (Variant(hardware="cpu", engine="abacus"), "unknown engine kind 'abacus'"),
        (Variant(hardware="cpu", engine="llamacpp"), "names no weights"),
    ],
)
async def test_what_cannot_run(settings: Settings, variant: Variant, reason: str) -> None:
    """Each model that cannot run says why, and the others go on."""
    async with running(model(variant), settings):
        stopped = await listed(settings, lambda r: r.state is ReplicaState.STOPPED)
    assert reason in stopped.reason


async def test_weights_that_come_later(settings: Settings) -> None:
    """An engine whose weights were missing is started when they are there."""
    content = b"weights"
    digest = hashlib.sha256(content).hexdigest()
    file = WeightsFile(name="m.gguf", sha256=digest, size=7, sources=())
    async with EngineDouble("openai") as double:
        args = {"base_url": f"{double.address}/v1", "model": "double"}
        known = model(Variant(hardware="cpu", engine="upstream", args=args), file)
        async with running(known, settings):
            stopped = await listed(settings, lambda r: r.state is ReplicaState.STOPPED)
            assert stopped.reason == "weights are missing: run `oxlo models pull m`"
            (settings.weights_dir / digest).mkdir()
            (settings.weights_dir / digest / "m.gguf").write_bytes(content)
            await listed(settings, lambda r: r.state is ReplicaState.READY)
