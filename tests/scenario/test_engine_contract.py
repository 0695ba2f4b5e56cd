"""The contract of all engines of ours: warm-up, progress, disconnects, load and shutdown."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tests.scenario.engines import SUBJECTS, Asked, Subject, idle, progress
from tests.scenario.served import is_alive
from tests.waiting import PATIENCE

from oxlo.engines.probe import Progress
from oxlo.fleet.fetch import Fetched, fetch
from oxlo.fleet.registry import Replica, ReplicaState
from oxlo.testing.fleet import WatchedHost

pytestmark = [pytest.mark.engine, pytest.mark.asyncio(loop_scope="module")]


@pytest.fixture(scope="module", params=SUBJECTS, ids=lambda subject: subject.model)
def subject(request: pytest.FixtureRequest) -> Subject:
    found: Subject = request.param
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(
    subject: Subject, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[WatchedHost]:
    """One engine for all tests: none takes as long as its start."""
    home = tmp_path_factory.mktemp("engine")
    watched = WatchedHost(subject.launch(home), home)
    yield watched
    await watched.end()


@pytest.fixture
def lengthy(subject: Subject) -> Asked:
    """A call that takes long."""
    return subject.long or pytest.skip("no call of this engine takes long")


async def ask(replica: Replica, asked: Asked) -> Fetched:
    return await fetch(
        replica.address, asked.path, body=asked.body, api_key=replica.api_key, deadline=100
    )


async def moved(replica: Replica, before: float) -> Progress:
    """The engine's progress, once it is at work and has moved."""
    async with asyncio.timeout(PATIENCE):
        while (now := await progress(replica)).work <= before or not now.busy:
            await asyncio.sleep(0.02)
    return now


async def test_ready_is_warm(engine: WatchedHost, subject: Subject) -> None:
    """Real requests ran before; a first call is answered, and only with the key."""
    ready = await engine.ready()
    assert ready.first_ms
    assert ready.warm_ms
    reply = await ask(ready, subject.short)
    assert reply.status == 200
    assert subject.short.holds in reply.body
    assert (
        await fetch(ready.address, subject.short.path, body={}, deadline=PATIENCE)
    ).status == 401


async def test_progress_and_disconnect(
    engine: WatchedHost, subject: Subject, lengthy: Asked
) -> None:
    """A long call makes progress; when its client disconnects, the engine stops working for it."""
    ready = await engine.ready()
    before = await idle(ready)
    leaving = asyncio.create_task(ask(ready, lengthy))
    first = await moved(ready, before.work)
    await moved(ready, first.work)
    leaving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await leaving
    after = await idle(ready)
    assert after.work - before.work < subject.steps


async def test_as_many_calls_as_slots(engine: WatchedHost, subject: Subject) -> None:
    """All at once, and all are answered."""
    ready = await engine.ready()
    replies = await asyncio.gather(*(ask(ready, subject.short) for _ in range(ready.slots)))
    assert {reply.status for reply in replies} == {200}
    assert all(subject.short.holds in reply.body for reply in replies)


async def test_short_calls_beside_a_long_one(
    engine: WatchedHost, subject: Subject, lengthy: Asked
) -> None:
    """A long call keeps nobody from being answered."""
    ready = await engine.ready()
    before = await idle(ready)
    long = asyncio.create_task(ask(ready, lengthy))
    await moved(ready, before.work)
    reply = await ask(ready, subject.short)
    assert reply.status == 200
    assert not long.done()
    long.cancel()


async def test_killed_engine_answers_again(engine: WatchedHost, subject: Subject) -> None:
    """kill -9, and the next generation answers."""
    await engine.ready()
    assert engine.host.pid
    os.kill(engine.host.pid, signal.SIGKILL)
    second = await engine.ready(generation=2)
    assert (await ask(second, subject.short)).status == 200


async def test_stop_leaves_nothing(engine: WatchedHost) -> None:
    """The process is gone, and its memory with it; the last test, as no other can follow."""
    await engine.ready()
    pid = engine.host.pid
    assert pid
    await engine.host.stop(drain=10)
    assert engine.host.replica.state is ReplicaState.STOPPED
    assert not is_alive(pid)
