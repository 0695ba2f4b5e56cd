"""A real llama.cpp engine with a real model: killed, drained, abandoned, orphaned."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
from openai import AsyncOpenAI, AsyncStream
from openai.types.chat import ChatCompletionChunk
from tests import models
from tests.scenario.engines import idle, progress
from tests.waiting import PATIENCE

from oxlo.catalogue import Model, Variant
from oxlo.engines.base import EngineSpec, Launch
from oxlo.engines.llamacpp import LlamaCpp
from oxlo.fleet.fetch import Refused, fetch
from oxlo.fleet.registry import Replica, ReplicaState
from oxlo.hardware import machine
from oxlo.settings import Settings
from oxlo.testing.fleet import WatchedHost

pytestmark = [pytest.mark.engine, pytest.mark.asyncio(loop_scope="module")]

MODEL = models.model("smollm2-135m", abilities=("chat", "completions", "json"), context_length=8192)

#: More tokens than the model makes before a client's end is noticed.
LONG = 1900

#: A process that starts an engine, says where it is, and is then killed.
PARENT = """
import asyncio, sys, msgspec
from oxlo.engines.base import EngineSpec, Launch
from oxlo.fleet.process import EngineProcess, log_file
from pathlib import Path

async def main():
    launch = msgspec.json.decode(sys.stdin.readline(), type=Launch)
    process = await EngineProcess.start(launch, log_file(Path(sys.argv[1]) / "engine.log"))
    print(await process.listening(), flush=True)
    await process.exited()

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def launch(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Launch:
    return launched(smollm2, tmp_path_factory.mktemp("home"), MODEL)


def launched(file: Path, home: Path, model: Model, **args: object) -> Launch:
    """With one thread: several wait for each other by spinning."""
    settings = Settings(home=home, llamacpp_context=2048, llamacpp_slots=2, llamacpp_threads=1)
    variant = Variant(hardware="cpu", engine="llamacpp", args=args)
    return LlamaCpp().launch(EngineSpec(model, variant, settings, [file], machine.here()))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(
    launch: Launch, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[WatchedHost]:
    """One engine for several tests."""
    watched = WatchedHost(launch, tmp_path_factory.mktemp("logs"))
    yield watched
    await watched.end()


def client(replica: Replica) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=f"{replica.address}/v1", api_key=replica.api_key, max_retries=0)


async def begun(sdk: AsyncOpenAI, max_tokens: int) -> AsyncStream[ChatCompletionChunk]:
    """A stream of exactly so many tokens, after its first event."""
    stream = await sdk.chat.completions.create(
        model=MODEL.id,
        messages=[{"role": "user", "content": "Tell me a long story about a whale."}],
        max_tokens=max_tokens,
        stream=True,
        extra_body={"ignore_eos": True},
    )
    await anext(stream)
    return stream


async def test_warm_and_named(engine: WatchedHost) -> None:
    """A ready engine was warmed by real requests, asks for its key and knows its own name."""
    ready = await engine.ready()
    assert ready.first_ms
    assert ready.warm_ms
    async with client(ready) as sdk:
        models = [model.id async for model in sdk.models.list()]
    assert models == [MODEL.id]
    assert (await fetch(ready.address, "/v1/models", deadline=PATIENCE)).status == 401


async def test_disconnect_frees_the_slot(engine: WatchedHost) -> None:
    """The client gone, the engine stops computing for it."""
    ready = await engine.ready()
    before = await progress(ready)
    async with client(ready) as sdk:
        await (await begun(sdk, LONG)).close()
    assert (await idle(ready)).work - before.work < LONG


async def test_killed_engine_answers_again(engine: WatchedHost) -> None:
    """kill -9, and a new process with the next generation answers."""
    await engine.ready()
    assert engine.host.pid
    os.kill(engine.host.pid, signal.SIGKILL)
    second = await engine.ready(generation=2)
    async with client(second) as sdk:
        reply = await sdk.chat.completions.create(
            model=MODEL.id, messages=[{"role": "user", "content": "Hi"}], max_tokens=5
        )
    assert reply.choices[0].message.content


async def test_drain_finishes_the_answer(engine: WatchedHost) -> None:
    """A stream that runs when the fleet stops is completed; the engine's last test."""
    async with client(await engine.ready(engine.host.replica.generation)) as sdk:
        stream = await begun(sdk, 150)
        stop = asyncio.create_task(engine.host.stop(drain=60))
        reasons = [event.choices[0].finish_reason async for event in stream if event.choices]
        await stop
    assert reasons[-1] == "length"
    assert engine.host.replica.state is ReplicaState.STOPPED


async def test_embeddings(smollm2: Path, tmp_path: Path) -> None:
    """A GGUF model makes vectors of unit length, in order; here one that was trained to chat."""
    model = msgspec.structs.replace(MODEL, abilities=frozenset({"embeddings"}), context_length=512)
    watched = WatchedHost(launched(smollm2, tmp_path, model, pooling="mean"), tmp_path)
    try:
        async with client(await watched.ready()) as sdk:
            texts = ["The cat sits outside.", "word " * 400, "The cat sits outside."]
            reply = await sdk.embeddings.create(model=MODEL.id, input=texts)
    finally:
        await watched.end()
    first, long, same = (item.embedding for item in reply.data)
    assert abs(sum(x * x for x in first) - 1) < 1e-4
    assert sum(x * y for x, y in zip(first, same, strict=True)) > 0.999
    assert sum(x * y for x, y in zip(first, long, strict=True)) < 0.999


async def test_no_engine_outlives_its_parent(launch: Launch, tmp_path: Path) -> None:
    """kill -9 of the fleet ends its engines too."""
    pipe = asyncio.subprocess.PIPE
    arguments = (sys.executable, "-c", PARENT, str(tmp_path))
    parent = await asyncio.create_subprocess_exec(*arguments, stdin=pipe, stdout=pipe)
    assert parent.stdin
    assert parent.stdout
    try:
        parent.stdin.write(msgspec.json.encode(launch) + b"\n")
        address = (await parent.stdout.readline()).decode().strip()
        assert (await fetch(address, "/health", deadline=PATIENCE)).status == 200
    finally:
        parent.kill()
        await parent.wait()
    async with asyncio.timeout(PATIENCE):
        while await answers(address):
            await asyncio.sleep(0.05)


async def answers(address: str) -> bool:
    try:
        await fetch(address, "/health", deadline=PATIENCE)
    except Refused:
        return False
    return True
