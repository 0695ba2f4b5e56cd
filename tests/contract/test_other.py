"""Completions, models, limits and receipts through the real SDK."""

import asyncio
import re
import subprocess

import openai
import pytest

from tests.contract.conftest import Served

pytestmark = pytest.mark.engine

MODEL = "smollm2-135m"


def test_completion(client: openai.OpenAI) -> None:
    """The legacy endpoint answers in its own shape."""
    reply = client.completions.create(model=MODEL, prompt="Once upon a time", max_tokens=8)
    assert reply.object == "text_completion"
    assert reply.choices[0].text
    assert reply.model_dump()["choices"][0]["logprobs"] is None


def test_completion_stream(client: openai.OpenAI) -> None:
    """It streams as well."""
    stream = client.completions.create(model=MODEL, prompt="One, two,", max_tokens=6, stream=True)
    chunks = list(stream)
    assert "".join(c.choices[0].text for c in chunks)
    assert chunks[-1].choices[0].finish_reason in ("stop", "length")


def test_completion_batch(client: openai.OpenAI) -> None:
    """Several prompts give several choices, in order, with legacy logprobs."""
    reply = client.completions.create(
        model=MODEL, prompt=["One, two,", "Red, green,"], max_tokens=4, logprobs=2
    )
    assert [c.index for c in reply.choices] == [0, 1]
    logprobs = reply.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.tokens
    assert len(logprobs.tokens) == len(logprobs.token_logprobs or [])


def test_models(client: openai.OpenAI) -> None:
    """The starter model is listed as ready."""
    listed = {model.id: model.model_dump() for model in client.models.list()}
    assert listed[MODEL]["status"] == "ready"
    assert client.models.retrieve(MODEL).id == MODEL
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("no-such-model")


def test_limits_exact(served: Served) -> None:
    """Parallel calls of a free account: the day's count is the calls that were answered."""
    key = served.new_key("exact", "free")

    async def ask(sdk: openai.AsyncOpenAI) -> int:
        try:
            await sdk.chat.completions.create(
                model=MODEL, messages=[{"role": "user", "content": "hi"}], max_tokens=2
            )
        except openai.RateLimitError as error:
            assert error.response.headers["retry-after"]
            return 0
        return 1

    async def everyone() -> tuple[int, dict[str, dict[str, int]]]:
        sdk = openai.AsyncOpenAI(base_url=served.base_url, api_key=key, max_retries=0)
        async with sdk:
            answered = sum(await asyncio.gather(*(ask(sdk) for _ in range(9))))
            limits = await sdk.get("/limits", cast_to=dict[str, object])  # type: ignore[type-var]
        return answered, limits  # type: ignore[return-value]

    answered, limits = asyncio.run(everyone())
    assert 5 <= answered <= 9
    assert limits["day"]["used"] == answered
    assert limits["minute"]["limit"] == 5


def test_revoked_key(served: Served) -> None:
    """A revoked key stops working within a second."""
    key = served.new_key("leaver", "free")
    with openai.OpenAI(base_url=served.base_url, api_key=key, max_retries=0) as sdk:
        sdk.models.list()
        listed = served.cli("keys", "list", "--account", "leaver")
        key_id = re.search(r"key_\w+", listed)
        assert key_id is not None
        served.cli("keys", "revoke", key_id[0])
        with pytest.raises(openai.AuthenticationError):
            for _ in range(200):
                sdk.models.list()
                asyncio.run(asyncio.sleep(0.01))


def test_metrics(served: Served) -> None:
    """Prometheus metrics name the model."""
    url = served.base_url.removesuffix("/v1") + "/metrics"
    run = subprocess.run(["curl", "-sS", url], capture_output=True, text=True, check=True)
    assert re.search(r'oxlo_requests_total\{[^}]*model="smollm2-135m"', run.stdout)


def test_curl(served: Served) -> None:
    """Plain curl works, without so much as a content type."""
    run = subprocess.run(
        ["curl", "-sS", f"{served.base_url}/chat/completions", "-H"]
        + [f"Authorization: Bearer {served.key}", "-d"]
        + ['{"model":"smollm2-135m","messages":[{"role":"user","content":"Hi"}],"max_tokens":3}'],
        capture_output=True,
        text=True,
        check=True,
    )
    assert '"chat.completion"' in run.stdout
