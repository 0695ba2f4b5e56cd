"""`oxlo fleet` as a process, with the double as its upstream."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from tests import remote
from tests.waiting import PATIENCE

from oxlo.fleet import registry
from oxlo.fleet.registry import Replica, ReplicaState
from oxlo.settings import Settings
from oxlo.testing.engine import EngineDouble

Begin = Callable[..., Awaitable[Process]]
FLEET = (sys.executable, "-c", "from oxlo.cli import main; main()", "fleet")


@pytest.fixture
async def double() -> AsyncIterator[EngineDouble]:
    async with EngineDouble("vllm", api_key="cloud-secret") as engine:
        yield engine


@pytest.fixture
def settings(tmp_path: Path, double: EngineDouble) -> Settings:
    """A home whose only model is the double."""
    remote.write(tmp_path, "cloud", double.address, api_key_env="CLOUD_KEY")
    return Settings(home=tmp_path)


@pytest.fixture
async def begin(settings: Settings) -> AsyncIterator[Begin]:
    """Starts a fleet; one that a failed test leaves behind is killed."""
    started: list[Process] = []

    async def start(*options: str, key: str = "cloud-secret") -> Process:
        own = {"OXLO_HOME": str(settings.home), "OXLO_STARTER": "none", "CLOUD_KEY": key}
        pipe, null = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(
            *FLEET, *options, stdin=pipe, stdout=null, env=os.environ | own
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def listed(settings: Settings, state: ReplicaState) -> Replica:
    """The replica in the file, as gateways see it: they poll it too."""
    async with asyncio.timeout(PATIENCE):
        while True:
            replicas = registry.read(settings.replicas_file).replicas
            if replicas and replicas[0].state is state:
                return replicas[0]
            await asyncio.sleep(0.05)


async def test_serves_until_sigterm(begin: Begin, settings: Settings, double: EngineDouble) -> None:
    """The remote model is warmed and listed; SIGTERM ends the fleet and the list says so."""
    fleet = await begin()
    ready = await listed(settings, ReplicaState.READY)
    fleet.send_signal(signal.SIGTERM)
    assert await fleet.wait() == 0
    assert (ready.id, ready.address, ready.api_key) == ("cloud-1", double.address, "cloud-secret")
    assert double.answered == 1
    assert (await listed(settings, ReplicaState.STOPPED)).reason == "shut down"


async def test_ends_with_its_parent(begin: Begin, settings: Settings) -> None:
    """`--with-parent`: the end of stdin is the end of the fleet."""
    fleet = await begin("--with-parent")
    await listed(settings, ReplicaState.READY)
    assert fleet.stdin
    fleet.stdin.close()
    assert await fleet.wait() == 0


async def test_bad_model_file_is_one_line(settings: Settings) -> None:
    """A mistake in a model file is reported with the file's name, without a stack trace."""
    (settings.catalogue_dir / "cloud.toml").write_text('id = "cloud"')
    process = await asyncio.create_subprocess_exec(
        *FLEET, stderr=asyncio.subprocess.PIPE, env=os.environ | {"OXLO_HOME": str(settings.home)}
    )
    _, errors = await process.communicate()
    assert process.returncode == 1
    assert b"cloud.toml" in errors
    assert b"Traceback" not in errors


async def test_missing_key_is_reported(begin: Begin, settings: Settings) -> None:
    """A key that is not set stops that model with the variable's name."""
    fleet = await begin(key="")
    stopped = await listed(settings, ReplicaState.STOPPED)
    fleet.send_signal(signal.SIGTERM)
    await fleet.wait()
    assert "CLOUD_KEY" in stopped.reason
