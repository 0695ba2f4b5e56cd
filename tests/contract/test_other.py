"""Completions, models, limits and receipts through the real SDK."""

import asyncio
import json
import re
import subprocess
import time

import openai
import pytest
from tests.contract.conftest import Served
from tests.waiting import PATIENCE

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


@pytest.mark.parametrize("wanted", [0, 2])
def test_likeliest_tokens(client: openai.OpenAI, wanted: int) -> None:
    """As many as asked for, and always the token that was chosen."""
    reply = client.completions.create(model=MODEL, prompt="One,", max_tokens=4, logprobs=wanted)
    logprobs = reply.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.tokens
    assert logprobs.top_logprobs
    for token, top in zip(logprobs.tokens, logprobs.top_logprobs, strict=True):
        assert token in top
        assert len(top) <= wanted + 1


def test_echo(client: openai.OpenAI) -> None:
    """The prompt comes first; its log probabilities are refused, as there are none."""
    asked = {"model": MODEL, "prompt": "One, two,", "max_tokens": 4, "echo": True}
    reply = client.completions.create(**asked)  # type: ignore[call-overload]
    assert reply.choices[0].text.startswith("One, two,")
    with pytest.raises(openai.BadRequestError) as caught:
        client.completions.create(**asked, logprobs=1)  # type: ignore[call-overload]
    assert (caught.value.param, caught.value.code) == ("logprobs", "unsupported_parameter")


def test_models(client: openai.OpenAI) -> None:
    """The starter model is listed as ready."""
    listed = {model.id: model.model_dump() for model in client.models.list()}
    assert listed[MODEL]["status"] == "ready"
    assert client.models.retrieve(MODEL).id == MODEL
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("no-such-model")


@pytest.mark.parametrize("model", [MODEL, "minilm-l6"])
def test_the_command_that_tries_a_model(served: Served, model: str) -> None:
    """`oxlo models test` calls every ability of a real model, with a key that it makes and ends."""
    abilities = json.loads(served.cli("models", "show", model, "--json"))["abilities"]
    lines = [line.split() for line in served.cli("models", "test", model).splitlines()[1:]]
    assert {line[0] for line in lines} == set(abilities)
    assert {line[1] for line in lines} == {"ok"}
    assert "oxlo models test" in served.cli("keys", "list", "--account", "operator")


def test_limits_exact(served: Served) -> None:
    """Parallel calls of a free account: the day's count is the calls that were answered."""
    key = served.new_key("exact", "free")

    async def ask(sdk: openai.AsyncOpenAI) -> object:
        return await sdk.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "hi"}], max_tokens=2
        )

    async def everyone() -> tuple[list[object], dict[str, dict[str, int]]]:
        sdk = openai.AsyncOpenAI(base_url=served.base_url, api_key=key, max_retries=0)
        async with sdk:
            ends = await asyncio.gather(*(ask(sdk) for _ in range(9)), return_exceptions=True)
            limits = await sdk.get("/limits", cast_to=dict[str, object])  # type: ignore[type-var]
        return ends, limits  # type: ignore[return-value]

    ends, limits = asyncio.run(everyone())
    refused = [end for end in ends if isinstance(end, openai.RateLimitError)]
    assert all(error.response.headers["retry-after"] for error in refused)
    answered = len(ends) - len(refused)
    assert 5 <= answered <= 9
    assert limits["day"]["used"] == answered
    assert limits["minute"]["limit"] == 5


def test_revoked_key(served: Served) -> None:
    """A revoked key stops working by itself."""
    key = served.new_key("leaver", "free")
    with openai.OpenAI(base_url=served.base_url, api_key=key, max_retries=0) as sdk:
        sdk.models.list()
        listed = served.cli("keys", "list", "--account", "leaver")
        key_id = re.search(r"key_\w+", listed)
        assert key_id is not None
        served.cli("keys", "revoke", key_id[0])
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and _works(sdk):
            time.sleep(0.02)
        with pytest.raises(openai.AuthenticationError):
            sdk.models.list()


def _works(sdk: openai.OpenAI) -> bool:
    try:
        sdk.models.list()
    except openai.AuthenticationError:
        return False
    return True


def test_metrics(served: Served) -> None:
    """Prometheus metrics name the model."""
    with openai.OpenAI(base_url=served.base_url, api_key=served.key) as sdk:
        sdk.completions.create(model="smollm2-135m", prompt="Hi", max_tokens=1)
    url = served.base_url.removesuffix("/v1") + "/metrics"
    run = subprocess.run(["curl", "-sS", url], capture_output=True, text=True, check=True)
    assert re.search(r'oxlo_requests_total\{[^}]*model="smollm2-135m"', run.stdout)


def test_curl(served: Served) -> None:
    """Plain curl works, without so much as a content type."""
    head = ["-H", f"Authorization: Bearer {served.key}"]
    body = '{"model":"smollm2-135m","messages":[{"role":"user","content":"Hi"}],"max_tokens":3}'
    run = subprocess.run(
        ["curl", "-sS", f"{served.base_url}/chat/completions", *head, "-d", body],
        capture_output=True,
        text=True,
        check=True,
    )
    assert '"chat.completion"' in run.stdout
