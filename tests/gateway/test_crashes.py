"""A bug met by one call, wherever it waited: it fails, uncounted, and no other call notices."""

import asyncio
import math
import time
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.gateway.conftest import Answer, Platform, Start, StartMedia, replica, stop_the_clock
from tests.gateway.shared import begin, ledger, queued, slots_taken, used
from tests.gateway.test_idempotency import send
from tests.valkeys import ValkeyServer
from tests.waiting import until

from oxlo.engines.dialect import Decided, Dialect, EngineCall
from oxlo.fleet import registry
from oxlo.fleet.registry import ReplicaList
from oxlo.gateway.endpoints import CHAT
from oxlo.gateway.routes import Routes
from oxlo.ledger.records import Settled
from oxlo.testing.engine import Script

#: The `max_tokens` of calls that meet the bug.
UNLUCKY = 13
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGA"
    "WjR9awAAAABJRU5ErkJggg=="
)


def _build(dialect: Dialect, request: Any, decided: Decided) -> EngineCall:
    if request.output_limit == UNLUCKY and decided.model.id != "costly":
        raise RuntimeError("a bug")
    return CHAT.build(dialect, request, decided)


async def broken(start: Start, server: ValkeyServer | None = None, **fields: Any) -> Platform:
    """A platform whose endpoint has a bug."""
    platform = await (begin(start, server, **fields) if server else start(**fields))
    gateway = platform.gateway
    gateway.routes = Routes(gateway, gateway.idempotency, [replace(CHAT, build=_build)])
    return platform


def call(platform: Platform, *args: Any, **fields: object) -> asyncio.Task[Answer]:
    return asyncio.create_task(platform.chat(*args, **fields))


def failed(platform: Platform, answer: Answer) -> None:
    """Check that a call failed, does not count and holds nothing."""
    assert (answer.status, answer.code) == (500, "internal_error")
    settled = platform.record(Settled, answer.headers["x-request-id"])
    assert (settled.status, settled.counted, settled.minute_counted) == (500, False, False)
    assert not platform.gateway.calls
    for group in platform.gateway.backends.groups():
        assert not group.queue
        assert not any(backend.in_use for backend in group.backends)


async def test_next_in_the_line_of_an_account(start: Start) -> None:
    """The call whose end admits the unlucky one is answered all the same."""
    platform = await broken(start)
    stop_the_clock(platform)
    key = platform.control.mint("free", "acct_f")
    platform.engine.next.append(Script(gate="go"))
    first = call(platform, key)
    await platform.engine.until(lambda e: e.outstanding == 1)
    second = call(platform, key, max_tokens=UNLUCKY)
    await until(lambda: platform.gateway.ledger._lines)  # type: ignore[attr-defined]
    platform.engine.gates["go"].set()
    assert (await first).status == 200
    failed(platform, await second)
    assert (await platform.chat(key)).status == 200
    assert await used(platform, key) == (2, 2, 0)


async def test_end_of_a_wait(start: Start) -> None:
    """A call whose time in the queue is over ends, even where its next model has the bug."""
    platform = await broken(start, engine_timeout=1e9)
    listed = (
        replica(platform.engine, "costly-0", "costly", slots=1),
        replica(platform.engine, "double-0", "double"),
    )
    registry.write(platform.gateway.settings.replicas_file, ReplicaList(time.time(), listed))
    platform.gateway.backends.refresh()
    platform.engine.next.append(Script(gate="go"))
    first = call(platform, model="costly")
    await platform.engine.until(lambda e: e.outstanding == 1)
    second = call(platform, model="costly", models=["double"], max_tokens=UNLUCKY)
    await until(lambda: queued(platform) == 1)
    clock = platform.gateway.clock
    platform.gateway.clock = lambda: clock() + 3600
    platform.gateway.sweep()
    answer = await second
    platform.engine.gates["go"].set()
    assert (await first).status == 200
    failed(platform, answer)


async def test_after_counting(start: Start) -> None:
    """A call whose tokens were counted."""
    platform = await broken(start, dialect="vllm")
    key = platform.control.mint("free", "acct_f")
    long = [{"role": "user", "content": "word " * 1000}]
    failed(platform, await call(platform, key, messages=long, max_tokens=UNLUCKY))
    assert platform.engine.counts["POST /tokenize"] == 1


async def test_after_its_pictures(start: Start, start_media: StartMedia) -> None:
    """A call whose pictures the media process has looked at."""
    platform = await broken(start)
    await start_media(platform)
    platform.replicas(platform.engine, model="seer")
    parts = [{"type": "image_url", "image_url": {"url": PIXEL}}]
    messages = [{"role": "user", "content": parts}]
    answer = await call(platform, model="seer", messages=messages, max_tokens=UNLUCKY)
    failed(platform, answer)


async def test_admitted_by_valkey(start: Start, server: ValkeyServer) -> None:
    """Its reply comes on the connection of all calls, which stays."""
    platform = await broken(start, server)
    stop_the_clock(platform)
    key = platform.control.mint("pro", "acct_p")
    with capture_logs() as logs:
        answers = await asyncio.gather(
            *(call(platform, key, max_tokens=tokens) for tokens in (1, UNLUCKY, 2))
        )
    assert [answer.status for answer in answers] == [200, 500, 200]
    failed(platform, answers[1])
    assert "valkey.lost" not in {log["event"] for log in logs}
    await until(lambda: not ledger(platform).settlements.unsettled)
    assert await used(platform, key) == (2, 2, 0)
    assert await slots_taken(platform) == 0


async def test_slot_by_a_message_of_valkey(start: Start, server: ValkeyServer) -> None:
    """A call that waited for a slot in the queue of all gateways."""
    platform = await broken(start, server)
    platform.replicas(platform.engine, slots=1)
    platform.engine.next.append(Script(gate="go"))
    first = call(platform)
    await platform.engine.until(lambda e: e.outstanding == 1)
    second = call(platform, max_tokens=UNLUCKY)
    await until(lambda: queued(platform) == 1)
    with capture_logs() as logs:
        platform.engine.gates["go"].set()
        assert (await first).status == 200
        failed(platform, await second)
    assert "valkey.lost" not in {log["event"] for log in logs}
    await until(lambda: not ledger(platform).settlements.unsettled)
    assert await slots_taken(platform) == 0
    assert (await platform.chat()).status == 200


@pytest.mark.parametrize("shared", [False, True])
async def test_with_an_idempotency_key(
    start: Start, request: pytest.FixtureRequest, shared: bool
) -> None:
    """A call and its repetition, which waits for the same claim; the key is free afterwards."""
    platform = await broken(start, request.getfixturevalue("server") if shared else None)
    gateway = platform.gateway
    working = gateway.routes

    def decode(body: bytes) -> Any:
        raise RuntimeError("a bug")

    gateway.routes = Routes(gateway, gateway.idempotency, [replace(CHAT, decode=decode)])
    with capture_logs() as logs:
        answers = await asyncio.gather(send(platform), send(platform))
    assert [answer.status for answer in answers] == [500, 500]
    assert "valkey.lost" not in {log["event"] for log in logs}
    gateway.routes = working
    assert (await send(platform)).status == 200


async def test_before_its_attempt(start: Start) -> None:
    """A call that has just got a slot gives it back."""
    platform = await broken(start)
    platform.replicas(platform.engine, slots=1)
    platform.engine.next.append(Script(gate="go"))
    first = call(platform)
    await platform.engine.until(lambda e: e.outstanding == 1)
    second = call(platform)
    await until(lambda: queued(platform) == 1)
    wall = platform.gateway.wall
    walls = iter([wall(), math.inf])  # the end of the first; the start of the second
    platform.gateway.wall = lambda: next(walls, None) or wall()
    platform.engine.gates["go"].set()
    assert (await first).status == 200
    failed(platform, await second)
