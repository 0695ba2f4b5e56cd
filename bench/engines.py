"""Real engines for benches, started like the fleet's."""

import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bench.processes import Failed
from oxlo import catalogue, weights
from oxlo.engines.base import EngineSpec, Launch
from oxlo.fleet.process import EngineProcess, log_file
from oxlo.fleet.registry import Replica, ReplicaState
from oxlo.hardware.sizing import Machine
from oxlo.settings import Settings


def cache() -> Path:
    """The model cache, shared with the tests."""
    return Path(os.environ.get("OXLO_TEST_CACHE") or Path.home() / ".cache" / "oxlo-tests")


def files(model: str) -> list[Path]:
    """Fetch a model's weights into the cache and return its files, or their folder."""
    wanted = catalogue.load().resolve(model).weights
    for file in wanted:
        weights.fetch(file, cache())
    paths = weights.ready(wanted, cache())
    assert paths
    return paths


def spec(model: str, machine: Machine, settings: Settings | None = None) -> EngineSpec:
    """Describe a model's first variant on all of `machine`, with default settings."""
    known = catalogue.load().resolve(model)
    return EngineSpec(known, known.variants[0], settings or Settings(), files(model), machine)


@asynccontextmanager
async def started(launch: Launch, folder: Path) -> AsyncIterator[tuple[Replica, int]]:
    """Start an engine; yield it and its pid. Raises Failed."""
    process = await EngineProcess.start(launch, log_file(folder / f"{launch.model}.log"))
    try:
        address = await process.listening()
        if address is None:
            raise Failed(f"the engine ended: {process.failure or list(process.tail)[-1:]}")
        yield _replica(launch, address), process.pid
    finally:
        await process.stop()


def _replica(launch: Launch, address: str) -> Replica:
    return Replica(
        id=f"{launch.model}-1",
        model=launch.model,
        kind=launch.kind,
        dialect=launch.dialect,
        address=address,
        engine_model=launch.engine_model,
        slots=launch.slots,
        context_length=launch.context_length,
        cache_tokens=launch.cache_tokens,
        build=launch.build,
        state=ReplicaState.READY,
        api_key=launch.api_key,
        since=time.time(),
    )
