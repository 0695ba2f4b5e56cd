"""Embeddings through the real SDK, by the real starter model."""

import asyncio
import base64
import json
import math
import urllib.request
from pathlib import Path

import openai
import pytest
from tests.contract import programs
from tests.contract.conftest import Served

from oxlo.snippets import Category, Language

pytestmark = pytest.mark.engine

MODEL = "minilm-l6"


def dot(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


def test_one_text(client: openai.OpenAI) -> None:
    """The SDK asks for base64 and gives numbers: 384 of them, of unit length."""
    reply = client.embeddings.create(model=MODEL, input="The food was delicious.")
    assert (reply.object, reply.model) == ("list", MODEL)
    [item] = reply.data
    assert (item.object, item.index, len(item.embedding)) == ("embedding", 0, 384)
    assert math.isclose(dot(item.embedding, item.embedding), 1, abs_tol=1e-5)


def test_paraphrases_are_close(client: openai.OpenAI) -> None:
    """A list keeps its order, and similar meanings are close."""
    texts = ["How do I reset my password?", "The weather is nice.", "I forgot my password."]
    reply = client.embeddings.create(model=MODEL, input=texts)
    assert [item.index for item in reply.data] == [0, 1, 2]
    asked, weather, forgot = (item.embedding for item in reply.data)
    assert dot(asked, forgot) > 0.5 > 0.2 > dot(asked, weather)


def test_floats_and_base64_agree(client: openai.OpenAI) -> None:
    """Asked for by name."""
    floats = client.embeddings.create(model=MODEL, input="Hello", encoding_format="float")
    packed = client.embeddings.create(model=MODEL, input="Hello", encoding_format="base64")
    raw = packed.data[0].embedding
    assert isinstance(raw, str)
    assert len(base64.b64decode(raw)) == 384 * 4
    default = client.embeddings.create(model=MODEL, input="Hello").data[0].embedding
    assert default == pytest.approx(floats.data[0].embedding, abs=1e-8)


def test_token_ids(client: openai.OpenAI) -> None:
    """cl100k's ids for "Hello world", as LangChain sends them."""
    text = client.embeddings.create(model=MODEL, input="Hello world")
    ids = client.embeddings.create(model=MODEL, input=[9906, 1917])
    lists = client.embeddings.create(model=MODEL, input=[[9906, 1917], [9906]])
    assert ids.data[0].embedding == text.data[0].embedding
    assert len(lists.data) == 2
    assert ids.usage.prompt_tokens == text.usage.prompt_tokens == 4


def test_the_largest_batch_is_one_request(served: Served) -> None:
    """2,048 texts count once; usage is the sum."""
    key = served.new_key("batcher", "free")
    with openai.OpenAI(base_url=served.base_url, api_key=key, max_retries=0) as sdk:
        reply = sdk.embeddings.create(model=MODEL, input=["Hello"] * 2048)
    assert len(reply.data) == 2048
    assert reply.usage.total_tokens == 3 * 2048
    assert served.used_today(key) == 1


def test_too_long(served: Served, client: openai.OpenAI) -> None:
    """Refused with the numbers, and not counted."""
    used = served.used_today()
    with pytest.raises(openai.BadRequestError) as refused:
        client.embeddings.create(model=MODEL, input=["short", "word " * 300])
    error = refused.value
    assert (error.code, error.param) == ("context_length_exceeded", "input")
    assert isinstance(error.body, dict)
    assert (error.body["counted_tokens"], error.body["allowed_tokens"]) == (302, 256)
    assert served.used_today() == used


@pytest.mark.parametrize(
    "wrong", [{"dimensions": 100}, {"input": [10**9]}, {"input": []}, {"input": ""}]
)
def test_bad_values(client: openai.OpenAI, wrong: dict[str, object]) -> None:
    """A 400 that names the field."""
    with pytest.raises(openai.BadRequestError) as refused:
        client.embeddings.create(**{"model": MODEL, "input": "Hi"} | wrong)  # type: ignore[arg-type]
    assert refused.value.param == next(iter(wrong))


def test_wrong_endpoint(client: openai.OpenAI) -> None:
    """A chat model makes no vectors; the error names one that does."""
    with pytest.raises(openai.BadRequestError, match=MODEL):
        client.embeddings.create(model="smollm2-135m", input="Hi")


def test_parallel_calls(served: Served) -> None:
    """Requests that share a run each get their own vector."""

    async def everyone() -> list[list[float]]:
        sdk = openai.AsyncOpenAI(base_url=served.base_url, api_key=served.key, max_retries=0)
        async with sdk:
            calls = [
                sdk.embeddings.create(model=MODEL, input="word " * (n % 5 + 1)) for n in range(25)
            ]
            return [reply.data[0].embedding for reply in await asyncio.gather(*calls)]

    vectors = asyncio.run(everyone())
    for number, vector in enumerate(vectors):
        assert dot(vector, vectors[number % 5]) > 0.999
        assert dot(vector, vectors[(number + 1) % 5]) < 0.999


def test_plain_http(served: Served) -> None:
    """Without an SDK, numbers are the default."""
    sent = json.dumps({"model": "all-MiniLM-L6-v2", "input": "Hi"}).encode()
    headers = {"Authorization": f"Bearer {served.key}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{served.base_url}/embeddings", sent, headers)
    with urllib.request.urlopen(request) as reply:
        body = json.loads(reply.read())
    assert isinstance(body["data"][0]["embedding"][0], float)


@programs.each("embeddings")
def test_programs_that_are_shown(
    served: Served, tmp_path: Path, category: Category, language: Language
) -> None:
    """How many dimensions a vector has, or the vector itself."""
    output = programs.run(served, category, language, MODEL, tmp_path)
    assert output == "Dimensions: 384\n" or len(json.loads(output)["data"][0]["embedding"]) == 384
