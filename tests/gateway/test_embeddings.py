"""Embeddings through the gateway, with a double behind it."""

import pytest
from tests.gateway.conftest import Platform, Start

from oxlo.ledger.records import Settled
from oxlo.testing.engine import Canned

PATH = "/v1/embeddings"


def vectors(count: int, model: str = "vectors") -> Canned:
    data = [{"object": "embedding", "index": i, "embedding": [0.6, 0.8]} for i in range(count)]
    usage = {"prompt_tokens": 4 * count, "total_tokens": 4 * count}
    return Canned.json({"object": "list", "data": data, "model": model, "usage": usage})


async def begun(start: Start, reply: Canned, dialect: str = "openai") -> Platform:
    platform = await start()
    platform.engine.canned[PATH] = reply
    platform.replicas(platform.engine, model="vectors", dialect=dialect)
    return platform


def asked(**fields: object) -> dict[str, object]:
    return {"model": "vectors", "input": ["a", "b"]} | fields


async def test_a_batch_is_one_request(start: Start) -> None:
    """The reply is passed on, and one request is counted with its tokens."""
    platform = await begun(start, vectors(2))
    answer = await platform.call("POST", PATH, asked())
    assert answer.status == 200
    assert [item["index"] for item in answer.json()["data"]] == [0, 1]
    settled = platform.record(Settled, answer.headers["x-request-id"])
    assert (settled.endpoint, settled.counted, settled.tokens_in) == ("embeddings", True, 8)


async def test_the_model_keeps_its_public_name(start: Start) -> None:
    """The response has the model's public name, whatever the engine calls it."""
    platform = await begun(start, vectors(2, "org/engine-name"))
    answer = await platform.call("POST", PATH, asked())
    assert answer.json()["model"] == "vectors"


@pytest.mark.parametrize(("dialect", "cap"), [("oxlo", 2048), ("openai", None)])
async def test_caps_travel_to_engines_that_measure(
    start: Start, dialect: str, cap: int | None
) -> None:
    """Our engines get the plan's limit; others would reject the unknown field."""
    platform = await begun(start, vectors(2), dialect)
    await platform.call("POST", PATH, asked(id_slot=3), key=platform.control.mint("free"))
    sent = platform.engine.calls[0].json()
    assert sent.get("max_input_tokens") == cap
    assert "id_slot" not in sent


@pytest.mark.parametrize(("dialect", "status"), [("openai", 200), ("vllm", 400), ("llamacpp", 400)])
async def test_token_ids_go_where_they_are_understood(
    start: Start, dialect: str, status: int
) -> None:
    """OpenAI's ids mean something else to engines that read their own."""
    platform = await begun(start, vectors(1), dialect)
    answer = await platform.call("POST", PATH, asked(input=[9906, 1917]))
    assert answer.status == status
    if status == 400:
        assert answer.json()["error"]["param"] == "input"
        assert platform.engine.calls == []


@pytest.mark.parametrize("dialect", ["vllm", "llamacpp"])
async def test_long_texts_are_counted(start: Start, dialect: str) -> None:
    """Engines that measure nothing are asked first: over the plan's cap, nothing is sent."""
    platform = await start(dialect)
    platform.replicas(platform.engine, model="vectors", dialect=dialect)
    key = platform.control.mint("free")
    answer = await platform.call("POST", PATH, asked(input=["Hi", "word " * 3000]), key=key)
    assert answer.json()["error"]["code"] == "context_length_exceeded"
    assert platform.engine.calls == []


async def test_a_vector_too_few_is_a_failure(start: Start) -> None:
    """An engine that loses an item has not answered."""
    platform = await begun(start, vectors(1))
    answer = await platform.call("POST", PATH, asked())
    assert (answer.status, answer.code) == (502, "engine_failed")
    assert not platform.record(Settled, answer.headers["x-request-id"]).counted


async def test_a_chat_model_names_those_that_embed(start: Start) -> None:
    """The wrong model for the endpoint: 400 that helps."""
    platform = await begun(start, vectors(2))
    answer = await platform.call("POST", PATH, asked(model="double"))
    assert (answer.status, answer.code) == (400, "wrong_endpoint")
    assert "vectors" in answer.json()["error"]["message"]


async def test_dimensions_where_there_are_none(start: Start) -> None:
    """A model with one size of vectors refuses another."""
    platform = await begun(start, vectors(2))
    answer = await platform.call("POST", PATH, asked(dimensions=8))
    assert answer.status == 400
    assert answer.json()["error"]["param"] == "dimensions"
