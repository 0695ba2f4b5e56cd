"""What every engine of ours keeps to, as a fleet sees it: warm, watched, left, crowded, stopped."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.scenario.engines import SUBJECTS, Asked, Subject
from tests.scenario.served import is_alive

from oxlo.engines.probe import PROBES, Progress
from oxlo.fleet.fetch import Fetched, fetch
from oxlo.fleet.registry import Replica, ReplicaState
from oxlo.testing.fleet import WatchedHost

pytestmark = pytest.mark.engine


@pytest.fixture(params=SUBJECTS, ids=lambda subject: subject.model)
def subject(request: pytest.FixtureRequest) -> Subject:
    found: Subject = request.param
    return found


@pytest.fixture
async def engine(subject: Subject, tmp_path: Path) -> AsyncIterator[WatchedHost]:
    watched = WatchedHost(subject.launch(tmp_path), tmp_path)
    yield watched
    await watched.host.stop(drain=0)


#: Engines whose work can take long.
lengthy = pytest.mark.parametrize(
    "subject", [s for s in SUBJECTS if s.long], ids=lambda subject: subject.model
)


async def ask(replica: Replica, asked: Asked) -> Fetched:
    return await fetch(
        replica.address, asked.path, body=asked.body, api_key=replica.api_key, deadline=100
    )


async def progress(replica: Replica) -> Progress:
    """What the fleet judges health by."""
    probe = PROBES[replica.dialect]
    assert probe.progress
    reply = await fetch(replica.address, probe.path, api_key=replica.api_key, deadline=10)
    return probe.progress(reply.body)


async def moved(replica: Replica, before: float) -> Progress:
    """The engine's progress, once it is at work and has moved."""
    async with asyncio.timeout(60):
        while (now := await progress(replica)).work <= before or not now.busy:
            pass
    return now


async def idle(replica: Replica) -> Progress:
    async with asyncio.timeout(60):
        while (now := await progress(replica)).busy:
            pass
    return now


async def test_ready_is_warm(engine: WatchedHost, subject: Subject) -> None:
    """Real requests ran before; a first call is answered, and only with the key."""
    ready = await engine.ready()
    assert ready.first_ms
    assert ready.warm_ms
    reply = await ask(ready, subject.short)
    assert reply.status == 200
    assert subject.short.holds in reply.body
    assert (await fetch(ready.address, subject.short.path, body={}, deadline=10)).status == 401


@lengthy
async def test_work_shows_and_who_leaves_is_not_worked_for(
    engine: WatchedHost, subject: Subject
) -> None:
    """A long call is seen to move; its caller gone, the engine soon has nothing to do."""
    ready = await engine.ready()
    before = await idle(ready)
    assert subject.long
    leaving = asyncio.create_task(ask(ready, subject.long))
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


@lengthy
async def test_short_calls_beside_a_long_one(engine: WatchedHost, subject: Subject) -> None:
    """A long call keeps nobody from being answered."""
    ready = await engine.ready()
    before = await idle(ready)
    assert subject.long
    long = asyncio.create_task(ask(ready, subject.long))
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
    """The process is gone, and its memory with it."""
    await engine.ready()
    pid = engine.host.pid
    assert pid
    await engine.host.stop(drain=10)
    assert engine.host.replica.state is ReplicaState.STOPPED
    assert not is_alive(pid)
