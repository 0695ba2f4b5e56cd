"""`X-Oxlo-Dry-Run: 1`: what a call would meet, without making it."""

import asyncio
from typing import Any

import pytest
from tests.gateway.conftest import Answer, Platform, Start, chat, stop_the_clock
from tests.waiting import until

from oxlo.testing.engine import Script

DRY = {"x-oxlo-dry-run": "1"}


async def dry(platform: Platform, key: str | None = None, **fields: object) -> Answer:
    return await platform.call("POST", "/v1/chat/completions", chat(**fields), DRY, key)


async def used(platform: Platform, key: str) -> Any:
    limits = (await platform.call("GET", "/v1/limits", key=key)).json()
    return limits["day"]["used"], limits["minute"]["used"], limits["concurrency"]["in_use"]


async def test_says_what_awaits(start: Start) -> None:
    """Model, counted tokens, clamp, what is left and the queue; nothing is spent or written."""
    platform = await start("llamacpp")
    key = platform.control.mint("free", "acct_f")
    stop_the_clock(platform)
    answer = await dry(platform, key, max_tokens=100_000, stream=True)
    said = answer.json()
    assert (answer.status, said["accepted"], said["model"]) == (200, True, "double")
    assert said["input_tokens"] > 0
    assert (said["max_tokens"], said["max_tokens_clamped"]) == (4096, True)
    assert (said["limits"]["day"]["remaining"], said["limits"]["minute"]["remaining"]) == (60, 5)
    assert said["queue"] == {"place": 0, "expected_wait_seconds": 0.0}
    assert await used(platform, key) == (0, 0, 0)
    assert not platform.engine.calls
    assert not [r for r in platform.records() if getattr(r, "id", None)]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"temperature": 9}, "invalid_value"),
        ({"model": "gpt-4o"}, "model_not_found"),
        ({"model": "costly"}, "model_access_denied"),
        ({"messages": [{"role": "user", "content": "word " * 6000}]}, "context_length_exceeded"),
    ],
)
async def test_fails_as_the_call_would(start: Start, fields: dict[str, Any], code: str) -> None:
    """The error is the call's own, to the word."""
    platform = await start("llamacpp")
    key = platform.control.mint("free", "acct_f")
    tried, made = await dry(platform, key, **fields), await platform.chat(key=key, **fields)
    assert (tried.status, tried.code, tried.body) == (made.status, code, made.body)


async def test_neither_yes_nor_no(start: Start) -> None:
    """An invalid header value is refused after authentication, and never makes a call."""
    platform = await start()
    for key, status in ((None, 400), ("", 401)):
        answer = await platform.call(
            "POST", "/v1/chat/completions", chat(), {"x-oxlo-dry-run": "maybe"}, key
        )
        assert answer.status == status
    assert not platform.engine.calls


async def test_limits_reached(start: Start) -> None:
    """A minute that is used up is a 429, for the dry run as for the call."""
    platform = await start()
    key = platform.control.mint("free", "acct_f")
    stop_the_clock(platform)
    for _ in range(5):
        assert (await platform.chat(key=key)).status == 200
    tried, made = await dry(platform, key), await platform.chat(key=key)
    assert (tried.status, tried.body) == (429, made.body)
    assert tried.headers["retry-after"] == made.headers["retry-after"]


async def test_dry_runs_are_braked(start: Start) -> None:
    """As many a minute as the plan has calls: counting tokens is work, too."""
    platform = await start()
    key = platform.control.mint("free", "acct_f")
    stop_the_clock(platform)
    answers = [await dry(platform, key) for _ in range(6)]
    assert [a.status for a in answers] == [200] * 5 + [429]
    assert answers[-1].code == "dry_run_limit_exceeded"
    assert (await platform.chat(key=key)).status == 200


async def test_place_in_the_queue(start: Start) -> None:
    """If all slots are taken, the response has the position in the queue."""
    platform = await start(queue_limit=2)
    platform.replicas(platform.engine, slots=1)
    platform.engine.default = Script(gate="go")
    running = [asyncio.create_task(platform.chat()) for _ in range(2)]
    group = platform.gateway.backends.group("double")
    assert group is not None
    await until(lambda: len(group.queue) == 1)
    assert (await dry(platform)).json()["queue"]["place"] == 2
    running.append(asyncio.create_task(platform.chat()))
    await until(lambda: len(group.queue) == 2)
    assert (await dry(platform)).code == "queue_full"
    platform.engine.gates["go"].set()
    assert [a.status for a in await asyncio.gather(*running)] == [200] * 3


async def test_client_leaves(start: Start) -> None:
    """A dry run whose client has left while tokens are counted is forgotten."""
    platform = await start("llamacpp")
    client = platform.client()
    await client.send("POST", "/v1/chat/completions", chat(), DRY)
    client.leave()
    await until(lambda: not platform.gateway.calls and not platform.gateway.server.connections)
    assert (await dry(platform)).status == 200


@pytest.mark.parametrize(("value", "status"), [("0", 200), ("TRUE", 200), ("yes", 400)])
async def test_header(start: Start, value: str, status: int) -> None:
    """1 and 0 are taken; what says neither is refused."""
    platform = await start()
    answer = await platform.call("POST", "/v1/chat/completions", chat(), {"x-oxlo-dry-run": value})
    assert answer.status == status
    assert len(platform.engine.calls) == (value == "0")


async def test_endpoints_without_tokens(start: Start) -> None:
    """For an endpoint without token counts, the response says so."""
    platform = await start()
    platform.also(("pictures", "openai"))
    body = {"model": "pictures", "prompt": "a house"}
    answer = await platform.call("POST", "/v1/images/generations", body, DRY)
    said = answer.json()
    assert (answer.status, said["endpoint"], said["input_tokens"]) == (200, "images", None)
