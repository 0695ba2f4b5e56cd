"""Which replica a call goes to, through the whole gateway."""

import asyncio
import time

import pytest
from tests.gateway.conftest import Platform, Start, chat, replica, stop_the_clock
from tests.waiting import until

from oxlo.fleet import registry
from oxlo.fleet.breaker import THRESHOLD
from oxlo.fleet.registry import ReplicaList, ReplicaState
from oxlo.gateway.backends import Group
from oxlo.ledger.records import Settled
from oxlo.testing.engine import EngineDouble, Script


async def test_same_beginning_same_replica(start: Start) -> None:
    """Turns of one conversation meet the replica that has its beginning in its cache."""
    platform = await start()
    async with EngineDouble("openai") as other:
        platform.replicas(platform.engine, other)
        served = set()
        system = {"role": "system", "content": "You are a careful assistant. " * 40}
        for turn in range(6):
            messages = [system, {"role": "user", "content": f"Question {turn}"}]
            before = len(other.calls)
            assert (await platform.chat(messages=messages)).status == 200
            served.add(len(other.calls) > before)
    assert len(served) == 1


async def test_different_beginnings_spread(start: Start) -> None:
    """Many conversations use both replicas."""
    platform = await start()
    async with EngineDouble("openai") as other:
        platform.replicas(platform.engine, other)
        for number in range(40):
            messages = [{"role": "user", "content": f"Conversation {number}"}]
            assert (await platform.chat(messages=messages)).status == 200
        assert len(other.calls) > 5
        assert len(platform.engine.calls) > 5


async def test_questions_follow_their_document(start: Start) -> None:
    """Documents are shared out, and each question about one meets the replica that has read it."""
    platform = await start()
    async with EngineDouble("openai") as other:
        platform.replicas(platform.engine, other)
        served: dict[int, set[bool]] = {0: set(), 1: set(), 2: set(), 3: set()}
        for question in range(5):
            for number, seen in served.items():
                text = f"Document {number}. " * 400 + f"Question {question}?"
                before = len(other.calls)
                await platform.chat(messages=[{"role": "user", "content": text}])
                seen.add(len(other.calls) > before)
    assert sorted(map(sorted, served.values())) == [[False], [False], [True], [True]]


async def test_conversation_stays(start: Start) -> None:
    """A growing conversation stays where its beginning is cached, also when others come between."""
    platform = await start()
    async with EngineDouble("openai") as other:
        platform.replicas(platform.engine, other)
        messages = [{"role": "user", "content": "Tell me about whales. " * 20}]
        served = set()
        for turn in range(5):
            await platform.chat(messages=[{"role": "user", "content": f"Other {turn}. " * 50}])
            before = len(other.calls)
            await platform.chat(messages=messages)
            served.add(len(other.calls) > before)
            messages += [
                {"role": "assistant", "content": f"Whale {turn}. " * 30},
                {"role": "user", "content": f"And then {turn}?"},
            ]
    assert len(served) == 1


def group_of(platform: Platform) -> Group:
    group = platform.gateway.backends.group("double")
    assert group is not None
    return group


@pytest.mark.parametrize(
    ("status", "trips"),
    [(400, 0), (401, 1), (403, 1), (404, 1), (408, 1), (413, 0), (422, 0), (429, 0), (500, 1),
     (502, 1), (503, 1), (504, 1)],
)  # fmt: skip
async def test_what_trips_a_breaker(start: Start, status: int, trips: int) -> None:
    """A caller's mistake never does, nor a quota; what is not the caller's to mend does."""
    platform = await start()
    platform.engine.default = Script(status=status, retry_after="100")
    answer = await platform.chat()
    assert answer.status >= 400
    (backend,) = group_of(platform).backends
    assert backend.breaker.failures == trips
    assert (backend.breaker.left_until > 0) == (status == 429)


async def test_a_clock_set_back_keeps_nobody_away(start: Start) -> None:
    """The pause of a replica with a used-up quota is measured by the monotonic clock."""
    platform = await start()
    now, wall = platform.gateway.clock(), platform.gateway.wall
    platform.gateway.clock = lambda: now
    platform.engine.default = Script(status=500)
    for _ in range(THRESHOLD):
        await platform.chat()
    assert (await platform.call("GET", "/readyz")).json()["models"]["double"] == "failing"
    platform.gateway.wall = lambda: wall() - 86_400
    platform.gateway.clock = lambda: now + 30
    assert (await platform.call("GET", "/readyz")).json()["models"]["double"] == "ready"


@pytest.mark.parametrize(
    "script",
    [
        Script(status=500), Script(status=429), Script(garbage="what?"), Script(cut=True, after=0),
        Script(error="out of memory", after=0), Script(status=401),
    ],
)  # fmt: skip
@pytest.mark.parametrize("stream", [False, True])
async def test_tried_elsewhere(start: Start, script: Script, stream: bool) -> None:
    """A failure before the first content is hidden from the client by a retry, and counts once."""
    platform = await start()
    async with EngineDouble("openai") as other:
        platform.replicas(platform.engine, other)
        platform.engine.default = script
        for _ in range(4):  # until each of the two was the first choice
            answer = await platform.chat(stream=stream or bool(script.error))
            assert answer.status == 200
            assert b"Hello" in answer.body
            settled = platform.record(Settled, answer.headers["x-request-id"])
            assert (settled.counted, settled.replica) == (True, "double-1")


async def test_silent_engine_is_tried_elsewhere(start: Start) -> None:
    """An engine that takes a call and never answers loses it to another after the time-out."""
    platform = await start(engine_timeout=0.0)
    async with EngineDouble("openai") as other:
        platform.replicas(platform.engine, other)
        platform.engine.default = other.default = Script(silent=True)
        client = platform.client()
        await client.send("POST", "/v1/chat/completions", chat())
        await until(lambda: platform.engine.outstanding + other.outstanding == 1)
        platform.engine.default = other.default = Script()
        platform.gateway.sweep()
        assert (await client.answer()).status == 200
        assert platform.engine.cancelled + other.cancelled == 1


async def test_quota_is_respected(start: Start) -> None:
    """A server that says when to come back gets no call until then, and calls afterwards."""
    platform = await start()
    async with EngineDouble("openai") as other:
        platform.replicas(platform.engine, other)
        platform.engine.default = Script(status=429, retry_after="30")
        assert [(await platform.chat()).status for _ in range(8)] == [200] * 8
        assert len(platform.engine.calls) <= 1
        platform.engine.default = Script()
        other.default = Script(status=429, retry_after="30")
        for backend in group_of(platform).backends:
            backend.breaker.left_until = 0.0
        assert [(await platform.chat()).status for _ in range(8)] == [200] * 8


async def test_quota_of_one_is_waited_for(start: Start) -> None:
    """While the only server's quota is used up for a moment, calls wait for it."""
    platform = await start()
    platform.engine.next.append(Script(status=429, retry_after="1"))
    client = platform.client()
    await client.send("POST", "/v1/chat/completions", chat())
    await until(lambda: len(group_of(platform).queue) == 1)
    (backend,) = group_of(platform).backends
    backend.breaker.left_until = 0.0
    platform.gateway.sweep()
    assert (await client.answer()).status == 200


async def test_quota_that_is_long_gone_is_told(start: Start) -> None:
    """If a quota is used up for longer than calls may wait, they get a 503 with Retry-After."""
    platform = await start()
    stop_the_clock(platform)
    platform.engine.default = Script(status=429, retry_after="7200")
    first, second = await platform.chat(), await platform.chat()
    assert (first.status, second.status) == (503, 503)
    assert 7000 < int(second.headers["retry-after"]) <= 7200
    assert len(platform.engine.calls) == 1


async def test_overflow_takes_what_is_too_much(start: Start) -> None:
    """The server beside gets calls only while every slot here is taken, or the engine fails."""
    platform = await start()
    async with EngineDouble("openai") as beside:
        own = replica(platform.engine, "own", "double", slots=1)
        listed = ReplicaList(0.0, (own, replica(beside, "beside", "double", overflow=1)))
        registry.write(platform.gateway.settings.replicas_file, listed)
        platform.gateway.backends.refresh()
        assert [(await platform.chat()).status for _ in range(4)] == [200] * 4
        assert (len(platform.engine.calls), len(beside.calls)) == (4, 0)
        platform.engine.next.append(Script(gate="go"))
        first = platform.client()
        await first.send("POST", "/v1/chat/completions", chat())
        await platform.engine.until(lambda e: e.outstanding == 1)
        assert (await platform.chat()).status == 200
        platform.engine.gates["go"].set()
        assert (await first.answer()).status == 200
        platform.engine.next.append(Script(status=500))
        assert (await platform.chat()).status == 200
        assert len(beside.calls) == 2


async def test_a_thousand_clients_at_once(start: Start) -> None:
    """All are answered or told to retry, and an engine never has more calls than slots."""
    platform = await start()
    platform.replicas(platform.engine, slots=4)
    clients = [platform.client() for _ in range(1_000)]
    await asyncio.gather(*(c.send("POST", "/v1/chat/completions", chat()) for c in clients))
    answers = await asyncio.gather(*(c.answer() for c in clients))
    assert {a.status for a in answers} <= {200, 503}
    assert all("retry-after" in a.headers for a in answers if a.status == 503)
    assert sum(a.status == 200 for a in answers) >= 256
    assert platform.engine.peak == 4
    assert not group_of(platform).queue


async def test_empty_list_of_replicas(start: Start) -> None:
    """A model without an engine is said to be none of this installation, others go on."""
    platform = await start()
    platform.replicas()
    answer = await platform.chat()
    assert (answer.status, answer.code) == (503, "model_not_deployed")
    platform.replicas(platform.engine)
    assert (await platform.chat()).status == 200


async def test_model_list_tells_the_warm_up(start: Start) -> None:
    """A model's entry has its warm-up times; with several replicas, those of the slowest."""
    platform = await start()
    entry = (await platform.call("GET", "/v1/models/double")).json()
    assert (entry["warm"], entry["warm_up"]) == (True, None)
    platform.replicas(platform.engine, first_ms=812.34, warm_ms=96.0)
    entry = (await platform.call("GET", "/v1/models/double")).json()
    assert entry["warm_up"] == {"first_ms": 812.3, "later_ms": 96.0}


async def test_a_replica_that_never_was(start: Start) -> None:
    """A model whose file cannot be understood is listed without an address: others are served."""
    platform = await start()
    listed = tuple(
        replica(platform.engine, f"{model}-0", model, **fields)
        for model, fields in (
            ("costly", {"dialect": "", "address": "", "state": ReplicaState.STOPPED}),
            ("double", {}),
        )
    )
    registry.write(platform.gateway.settings.replicas_file, ReplicaList(time.time(), listed))
    platform.gateway.sweep()
    assert (await platform.chat()).status == 200
    assert (await platform.chat(model="costly")).status == 503


@pytest.mark.parametrize("running", [False, True])
async def test_connections_to_a_replaced_process(start: Start, running: bool) -> None:
    """Connections to a replica's earlier process are closed: idle ones at once, others later."""
    platform = await start()
    platform.engine.next.append(Script(gate="go"))
    call = asyncio.create_task(platform.chat())
    await platform.engine.until(lambda e: e.outstanding == 1)
    group = platform.gateway.backends.group("double")
    assert group is not None
    upstream = group.backends[0].upstream
    if not running:
        platform.engine.gates["go"].set()
        await call
        await until(lambda: upstream.idle == 1)
    platform.replicas(platform.engine, generation=2)
    assert group.backends[0].upstream is not upstream
    platform.engine.gates["go"].set()
    assert (await call).status == 200
    assert upstream.idle == 0
