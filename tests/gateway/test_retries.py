"""How the real OpenAI SDK retries after our errors: how often, and with what delay."""

from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletion
from tests.gateway.conftest import Platform, Start

from oxlo.ledger.records import Refused, Settled
from oxlo.plans import SHIPPED, edited
from oxlo.testing.engine import Script

NOON = 20_000 * 86_400 + 43_200.0


class Patient(openai.AsyncOpenAI):
    """The SDK with its two retries; what it waits passes on the platform's clock alone."""

    def __init__(self, platform: Platform, key: str) -> None:
        super().__init__(base_url=f"http://127.0.0.1:{platform.port}/v1", api_key=key)
        self.waits: list[float] = []
        self.now = NOON + 18
        platform.gateway.wall = lambda: self.now

    def _calculate_retry_timeout(self, *args: Any, **kwargs: Any) -> float:
        self.waits.append(super()._calculate_retry_timeout(*args, **kwargs))
        self.now += self.waits[-1]
        return 0.0

    async def ask(self, **options: Any) -> ChatCompletion:
        return await self.chat.completions.create(
            model=options.pop("model", "double"),
            messages=[{"role": "user", "content": "hi"}],
            **options,
        )


@pytest.fixture
async def sdks() -> AsyncIterator[list[Patient]]:
    """SDK clients to close."""
    made: list[Patient] = []
    yield made
    for sdk in made:
        await sdk.close()


def patient(platform: Platform, sdks: list[Patient], plan: str = "free") -> Patient:
    sdks.append(Patient(platform, platform.control.mint(plan, f"acct_{plan}")))
    return sdks[-1]


def tries(platform: Platform, status: int) -> int:
    """Calls that ended so."""
    ended = [r for r in platform.records() if isinstance(r, Refused | Settled)]
    return sum(r.status == status for r in ended)


async def test_the_minute_is_waited_for(start: Start, sdks: list[Patient]) -> None:
    """The sixth call of a minute is sent again when the next begins, once, and is answered."""
    platform = await start()
    sdk = patient(platform, sdks)
    for _ in range(6):
        assert (await sdk.ask()).choices[0].message.content
    assert sdk.waits == [42]  # to the second: it came 18 seconds after the minute began
    assert (tries(platform, 200), tries(platform, 429)) == (6, 1)


async def test_the_day_is_not(start: Start, sdks: list[Patient]) -> None:
    """A used-up day is not retried: the error reports the reset time."""
    platform = await start()
    settings = platform.gateway.settings
    plans = SHIPPED.read_text().replace("requests_per_day = 60", "requests_per_day = 1")
    edited.save(settings.plans_dir, settings.edited_plans, plans)
    platform.gateway.sweep()
    sdk = patient(platform, sdks)
    await sdk.ask()
    with pytest.raises(openai.RateLimitError) as caught:
        await sdk.ask()
    assert (sdk.waits, tries(platform, 429)) == ([], 1)
    assert caught.value.code == "daily_limit_exceeded"
    headers, body = caught.value.response.headers, caught.value.body
    assert headers["retry-after"] == str(43_200 - 18)
    assert headers["x-should-retry"] == "false"
    assert isinstance(body, dict)
    assert (body["retry_after"], body["daily_limit"]) == (43_200 - 18, 1)
    assert body["reset_at"] == "2024-10-05T00:00:00Z"


async def test_a_full_queue_is_asked_again(start: Start, sdks: list[Patient]) -> None:
    """503 with `Retry-After`: the SDK comes back as often as it may, each time after so long."""
    platform = await start(queue_limit=0)
    platform.replicas(platform.engine, slots=0)
    sdk = patient(platform, sdks)
    with pytest.raises(openai.InternalServerError) as caught:
        await sdk.ask()
    assert caught.value.code == "queue_full"
    assert sdk.waits == [1, 1]
    assert tries(platform, 503) == 3


async def test_a_failed_engine_is_asked_again(start: Start, sdks: list[Patient]) -> None:
    """502 names no time: the SDK takes its own, and its second try is answered and counted."""
    platform = await start()
    platform.engine.next.append(Script(status=500))
    sdk = patient(platform, sdks)
    assert (await sdk.ask()).choices[0].message.content
    assert [0 < wait <= 0.5 for wait in sdk.waits] == [True]
    assert (tries(platform, 502), tries(platform, 200)) == (1, 1)


async def test_what_no_retry_helps(start: Start, sdks: list[Patient]) -> None:
    """An undeployed model and a reused idempotency key are not retried."""
    platform = await start()
    sdk = patient(platform, sdks, "enterprise")
    with pytest.raises(openai.InternalServerError):
        await sdk.ask(model="costly")
    key = {"idempotency-key": "k1"}
    await sdk.ask(extra_headers=key)
    with pytest.raises(openai.ConflictError):
        await sdk.ask(extra_headers=key, temperature=0.5)
    assert sdk.waits == []
    assert (tries(platform, 503), tries(platform, 409)) == (1, 1)
