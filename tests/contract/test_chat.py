"""Chat through the real OpenAI SDK, the real platform and a real model."""

import json
from pathlib import Path

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam
from pydantic_core import from_json
from tests.contract import programs
from tests.contract.conftest import Served

from oxlo.snippets import Category, Language

pytestmark = pytest.mark.engine

MODEL = "smollm2-135m"
HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Say hello."}]


def test_answer(client: openai.OpenAI) -> None:
    """A chat is answered in OpenAI's shape, nulls included."""
    reply = client.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=16)
    assert reply.object == "chat.completion"
    assert reply.id.startswith("chatcmpl-")
    assert reply.model == MODEL
    choice = reply.choices[0]
    assert choice.message.content
    raw = reply.model_dump()
    assert raw["choices"][0]["logprobs"] is None
    assert raw["choices"][0]["message"]["refusal"] is None
    assert reply.usage is not None
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens
    assert reply.usage.prompt_tokens_details is not None
    assert reply.usage.completion_tokens_details is not None


def test_stream(client: openai.OpenAI) -> None:
    """A stream has a role chunk, deltas, one finish chunk, and no usage unless asked."""
    chunks = list(
        client.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=12, stream=True)
    )
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(c.choices[0].delta.content or "" for c in chunks)
    finishes = [c.choices[0].finish_reason for c in chunks]
    assert finishes[-1] in ("stop", "length")
    assert finishes[:-1] == [None] * (len(chunks) - 1)
    assert all(c.usage is None for c in chunks)
    assert len({c.id for c in chunks}) == 1


def test_stream_usage(client: openai.OpenAI) -> None:
    """With include_usage the last chunk has usage and no choices."""
    chunks = list(
        client.chat.completions.create(
            model=MODEL,
            messages=HELLO,
            max_tokens=5,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens >= 1
    assert all(c.usage is None for c in chunks[:-1])


def test_same_seed_same_words(client: openai.OpenAI) -> None:
    """The same seed gives the same answer, whatever of the prompt was in the engine's cache."""

    def content() -> str | None:
        answer = client.chat.completions.create(
            model=MODEL, messages=HELLO, max_tokens=16, seed=7, temperature=1.5
        )
        return answer.choices[0].message.content

    first = content()
    client.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=1)
    assert content() == first


def test_several_choices(client: openai.OpenAI) -> None:
    """n choices come with their indices, and usage counts them all."""
    reply = client.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=6, n=3)
    assert [c.index for c in reply.choices] == [0, 1, 2]
    assert reply.usage is not None
    assert reply.usage.completion_tokens > 6


def test_stop(client: openai.OpenAI) -> None:
    """A stop sequence ends the answer before it."""
    reply = client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "Repeat: one two three four"}],
        max_tokens=40,
        stop=[" ", "\n"],
    )
    assert reply.choices[0].finish_reason == "stop"
    assert " " not in (reply.choices[0].message.content or "")


def test_logprobs(client: openai.OpenAI) -> None:
    """Each token has its logprob and alternatives."""
    reply = client.chat.completions.create(
        model=MODEL, messages=HELLO, max_tokens=4, logprobs=True, top_logprobs=3
    )
    logprobs = reply.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content
    assert all(len(entry.top_logprobs) == 3 and entry.bytes for entry in logprobs.content)
    assert all(entry.logprob <= 0 for entry in logprobs.content)


def test_logit_bias(client: openai.OpenAI) -> None:
    """A biased token wins."""
    reply = client.chat.completions.create(
        model=MODEL, messages=HELLO, max_tokens=3, temperature=0, logit_bias={"28": 100}
    )
    assert set(reply.choices[0].message.content or "") == {","}


def test_json_object(client: openai.OpenAI) -> None:
    """JSON mode gives a JSON object; if the answer was cut, the beginning of one."""
    reply = client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "Describe a cat in JSON."}],
        max_tokens=200,
        response_format={"type": "json_object"},
    )
    (choice,) = reply.choices
    assert choice.finish_reason in ("stop", "length")
    cut = choice.finish_reason == "length"
    described = from_json(choice.message.content or "", allow_partial=cut and "trailing-strings")
    assert isinstance(described, dict)
    assert described


def test_json_schema(client: openai.OpenAI) -> None:
    """A strict schema is kept, even by a very small model."""
    schema = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "maxLength": 12},
            "age": {"type": "integer", "minimum": 0, "maximum": 99},
        },
        "required": ["name", "age"],
        "additionalProperties": False,
    }
    reply = client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "Invent a person."}],
        max_tokens=80,
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "person", "strict": True, "schema": schema},
        },
    )
    person = json.loads(reply.choices[0].message.content or "")
    assert set(person) == {"name", "age"}
    assert isinstance(person["age"], int)


def test_developer_role(client: openai.OpenAI) -> None:
    """The developer role is understood, as are user and metadata."""
    reply = client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "developer", "content": "Be brief."}, *HELLO],
        max_completion_tokens=5,
        user="u1",
        metadata={"a": "b"},
    )
    assert reply.usage is not None
    assert reply.usage.completion_tokens <= 5


def test_extra_samplers(client: openai.OpenAI) -> None:
    """The docs' samplers are taken as top-level keys."""
    reply = client.chat.completions.create(
        model=MODEL,
        messages=HELLO,
        max_tokens=5,
        extra_body={"top_k": 1, "min_p": 0.1, "repeat_penalty": 1.2, "mirostat_mode": 0},
    )
    assert reply.choices[0].message.content


def test_headers_and_receipt(client: openai.OpenAI, served: Served) -> None:
    """The reply's headers are OpenAI's, and the receipt is there when the answer is."""
    raw = client.chat.completions.with_raw_response.create(
        model=MODEL, messages=HELLO, max_tokens=4
    )
    request_id = raw.headers["x-request-id"]
    assert raw.headers["openai-version"]
    assert int(raw.headers["openai-processing-ms"]) >= 0
    receipt = client.get(f"/requests/{request_id}", cast_to=dict[str, object])  # type: ignore[type-var]
    assert receipt["counted"] is True
    assert receipt["outcome"] == "answered"
    reply = raw.parse()
    assert reply.usage is not None
    usage = receipt["usage"]
    assert isinstance(usage, dict)
    assert usage["completion_tokens"] == reply.usage.completion_tokens


def test_other_models(client: openai.OpenAI) -> None:
    """Where the first model is not served, the next one answers, and head and reply say so."""
    raw = client.chat.completions.with_raw_response.create(
        model="llama-3.2-3b", messages=HELLO, max_tokens=4, extra_body={"models": [MODEL]}
    )
    assert raw.headers["x-oxlo-model"] == MODEL
    assert raw.headers["x-oxlo-tried"] == "llama-3.2-3b=model_not_deployed"
    assert raw.parse().model == MODEL


def test_other_models_of_a_stream(client: openai.OpenAI) -> None:
    """So do all chunks of a stream."""
    stream = client.chat.completions.create(
        model="llama-3.2-3b",
        messages=HELLO,
        max_tokens=4,
        stream=True,
        extra_body={"models": [MODEL]},
    )
    assert {chunk.model for chunk in stream} == {MODEL}


@pytest.mark.parametrize(
    ("fields", "error", "param"),
    [
        ({"temperature": 2.5}, openai.BadRequestError, "temperature"),
        ({"n": 6}, openai.BadRequestError, "n"),
        ({"stop": ["a", "b", "c", "d", "e"]}, openai.BadRequestError, "stop"),
        ({"messages": []}, openai.BadRequestError, "messages"),
        ({"model": "gpt-4o-mini"}, openai.NotFoundError, "model"),
        ({"top_logprobs": 2}, openai.BadRequestError, "top_logprobs"),
        ({"max_tokens": 1.5}, openai.BadRequestError, "max_tokens"),
        ({"model": ""}, openai.BadRequestError, "model"),
        ({"moderation": {"model": "omni-moderation-latest"}}, openai.BadRequestError, "moderation"),
    ],
)
def test_bad_values(
    client: openai.OpenAI, fields: dict[str, object], error: type[openai.APIStatusError], param: str
) -> None:
    """Bad values raise the SDK's own exception, naming the field."""
    with pytest.raises(error) as caught:
        client.chat.completions.create(**({"model": MODEL, "messages": HELLO} | fields))  # type: ignore[call-overload]
    assert caught.value.param is not None
    assert caught.value.param.startswith(param)
    assert caught.value.code


def test_too_long(served: Served) -> None:
    """A prompt over the plan's cap names counted and allowed tokens, and does not count."""
    key = served.new_key("longwinded", "free")
    with openai.OpenAI(base_url=served.base_url, api_key=key, max_retries=0) as sdk:
        long = "word " * 3000
        with pytest.raises(openai.BadRequestError) as caught:
            sdk.chat.completions.create(
                model=MODEL, messages=[{"role": "user", "content": long}], max_tokens=4
            )
    assert caught.value.code == "context_length_exceeded"
    assert "2048" in caught.value.message
    assert isinstance(caught.value.body, dict)
    assert 3000 <= caught.value.body["counted_tokens"] < 3100


def test_bad_key(served: Served) -> None:
    """A bad key is the SDK's AuthenticationError, with OpenAI's type and code."""
    with (
        openai.OpenAI(base_url=served.base_url, api_key="sk_nope", max_retries=0) as sdk,
        pytest.raises(openai.AuthenticationError) as caught,
    ):
        sdk.models.list()
    assert (caught.value.type, caught.value.code) == ("invalid_request_error", "invalid_api_key")


@programs.each("chat", "streaming", "tools", "json")
def test_programs_that_are_shown(
    served: Served, tmp_path: Path, category: Category, language: Language
) -> None:
    """Words from the first two, and what the schema asks for from the others."""
    output = programs.run(served, category, language, MODEL, tmp_path)
    assert {"tools": "get_weather", "json": "age"}.get(category, "") in output
    assert output.strip()


def test_nothing_is_stored(client: openai.OpenAI) -> None:
    """`store` is ignored, and reported as ignored; no chat is listed or found."""
    chats = client.chat.completions
    raw = chats.with_raw_response.create(model=MODEL, messages=HELLO, max_tokens=1, store=True)
    assert raw.headers["x-oxlo-ignored-fields"] == "store"
    assert list(chats.list(limit=5, metadata={"a": "b"})) == []
    with pytest.raises(openai.NotFoundError, match="stored"):
        chats.retrieve(raw.parse().id)
