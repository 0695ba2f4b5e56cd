"""Idempotency keys at several gateways, with responses in a real Valkey."""

import asyncio

import pytest
from tests.gateway.conftest import Answer, Platform, Start, chat
from tests.gateway.shared import beat, begin, join, ledger
from tests.valkeys import ValkeyServer
from tests.waiting import until

from oxlo.gateway.idempotency.valkey_answers import ValkeyAnswers
from oxlo.testing.engine import Script


async def keyed(platform: Platform, name: str = "k1", **fields: object) -> Answer:
    """A chat with an idempotency key."""
    headers = {"idempotency-key": name}
    return await platform.call("POST", "/v1/chat/completions", chat(**fields), headers)


@pytest.mark.parametrize("stream", [False, True])
async def test_answers_are_shared(start: Start, server: ValkeyServer, stream: bool) -> None:
    """A call that is repeated at another gateway is not made again, and counts once."""
    first = await begin(start, server)
    second = await join(first)
    made = await keyed(first, stream=stream)
    await until(lambda: not first.gateway.idempotency.running)
    again = await keyed(second, stream=stream)
    assert (again.status, again.body) == (200, made.body)
    assert again.headers["x-oxlo-idempotent-replay"] == made.headers["x-request-id"]
    other = await keyed(second, stream=stream, temperature=0.5)
    assert (other.status, other.code) == (409, "idempotency_key_reused")
    assert len(first.engine.calls) == 1
    assert list(first.gateway.settings.idempotency_dir.glob("*")) == []


async def test_answer_is_made_elsewhere(start: Start, server: ValkeyServer) -> None:
    """A repeat at another gateway waits for the response of the running call."""
    first = await begin(start, server)
    second = await join(first)
    first.engine.next.append(Script(gate="go"))
    made = asyncio.create_task(keyed(first))
    await first.engine.until(lambda e: e.outstanding == 1)
    other = await keyed(second, temperature=0.5)
    assert (other.status, other.code) == (409, "idempotency_key_reused")
    again = asyncio.create_task(keyed(second))
    await until(lambda: len(second.gateway.idempotency.waiting) == 1)
    first.engine.gates["go"].set()
    beating = asyncio.create_task(beat(second))
    assert (await again).body == (await made).body
    beating.cancel()
    assert len(first.engine.calls) == 1


@pytest.mark.parametrize("when_down", ["open", "closed"])
async def test_keys_without_valkey(start: Start, server: ValkeyServer, when_down: str) -> None:
    """Without Valkey, calls with an idempotency key are refused, as they may be repeats."""
    platform = await begin(start, server, limits_when_store_is_down=when_down)
    assert (await keyed(platform)).status == 200
    await until(lambda: not platform.gateway.idempotency.running)
    server.kill()
    answers = platform.gateway.idempotency.answers
    assert isinstance(answers, ValkeyAnswers)
    await until(lambda: not answers.client.connected)
    refused = await keyed(platform)
    assert (refused.status, refused.code) == (503, "limits_unavailable")
    assert "Idempotency-Key" in refused.json()["error"]["message"]
    server.start()
    await until(lambda: answers.client.connected and ledger(platform).client.connected)
    assert "x-oxlo-idempotent-replay" in (await keyed(platform)).headers
    assert len(platform.engine.calls) == 1
