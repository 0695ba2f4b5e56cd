"""Whole chat replies: OpenAI's object, field for field."""

from typing import Any

import msgspec
import pytest
from openai.types.chat import ChatCompletion

from oxlo.errors import EngineFailed
from oxlo.testing.script import Script

TOOLS = [{"type": "function", "function": {"name": name}} for name in ("add", "sub")]
CALLS = Script(tool_calls=(("add", '{"a": 1}'), ("sub", "{}")))
KEYS = {
    "id",
    "object",
    "created",
    "model",
    "choices",
    "usage",
    "service_tier",
    "system_fingerprint",
}


def test_shape(name: str, talk: Any) -> None:
    """Every field that OpenAI has is there, nulls included, and no other."""
    reply = talk(name).reply(Script(text="Hello there"))
    ChatCompletion.model_validate(reply, strict=True)
    assert reply.keys() == KEYS
    assert (reply["object"], reply["model"]) == ("chat.completion", "smollm2-135m")
    (choice,) = reply["choices"]
    assert choice.pop("message") == {
        "role": "assistant", "content": "Hello there", "refusal": None, "annotations": [],
    }  # fmt: skip
    assert choice == {"index": 0, "logprobs": None, "finish_reason": "stop"}


def test_usage(name: str, talk: Any) -> None:
    """The client and the receipt are told the same."""
    talk = talk(name)
    answer = talk.answer(talk.told(Script(text="a b c", cached_tokens=4)))
    told, usage = msgspec.json.decode(answer.body)["usage"], answer.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens) == (9, 3, 4)
    assert (told["prompt_tokens"], told["completion_tokens"], told["total_tokens"]) == (9, 3, 12)
    assert told["prompt_tokens_details"]["cached_tokens"] == 4
    assert told["completion_tokens_details"]["reasoning_tokens"] == 0
    assert answer.finish == "stop"


def test_several_choices(name: str, talk: Any) -> None:
    """All choices are there, in order."""
    reply = talk(name, n=3).reply(Script(text="a b"))
    assert [choice["index"] for choice in reply["choices"]] == [0, 1, 2]
    assert {choice["message"]["content"] for choice in reply["choices"]} == {"a b"}
    assert reply["usage"]["prompt_tokens"] == 9
    ChatCompletion.model_validate(reply, strict=True)


def test_cut_gathering(talk: Any) -> None:
    """Several choices of llama.cpp come as a stream; one that was cut is no answer."""
    talk = talk("llamacpp", n=2)
    said = talk.told(Script())
    for cut in range(0, len(said) - 14, 7):
        with pytest.raises(EngineFailed):
            talk.answer(said[:cut])


def test_tool_calls(name: str, talk: Any) -> None:
    """Calls have an id, and arguments as a string; the content beside them is null."""
    reply = talk(name, tools=TOOLS).reply(CALLS)
    (choice,) = reply["choices"]
    assert choice["finish_reason"] == "tool_calls"
    assert name == "llamacpp" or choice["message"]["content"] is None
    calls = choice["message"]["tool_calls"]
    assert [(c["function"]["name"], c["function"]["arguments"]) for c in calls] == [
        ("add", '{"a": 1}'),
        ("sub", "{}"),
    ]
    assert all(call["id"] and call["type"] == "function" for call in calls)
    assert all(call.keys() == {"id", "type", "function"} for call in calls)
    ChatCompletion.model_validate(reply, strict=True)


@pytest.mark.parametrize("name", ["vllm", "llamacpp"])
def test_reasoning(name: str, talk: Any) -> None:
    """Thoughts stand beside a clean content."""
    message = talk(name).reply(Script(reasoning="Hm.", text="Yes."))["choices"][0]["message"]
    assert (message["reasoning_content"], message["content"]) == ("Hm.", "Yes.")
    assert "reasoning" not in message


@pytest.mark.parametrize("name", ["vllm", "llamacpp"])
def test_logprobs(name: str, talk: Any) -> None:
    """Tokens have all of their fields, and none of the engine's."""
    said = (
        b'{"choices":[{"index":0,"message":{"content":"a"},"finish_reason":"length","logprobs":'
        b'{"content":[{"id":7,"token":"a","logprob":-1,"bytes":[97],"top_logprobs":[{"id":7,'
        b'"token":"a","logprob":-1.0}]}]}}],"usage":null,"created":0}'
    )
    reply = msgspec.json.decode(talk(name, logprobs=True, top_logprobs=1).answer(said).body)
    assert reply["created"] == 1_795_392_000
    assert reply["choices"][0]["logprobs"] == {
        "content": [
            {
                "token": "a",
                "logprob": -1.0,
                "bytes": [97],
                "top_logprobs": [{"token": "a", "logprob": -1.0, "bytes": None}],
            }
        ],
        "refusal": None,
    }


def test_missing_nulls(talk: Any) -> None:
    """A server that leaves out nulls: they are put in, for each choice."""
    said = (
        b'{"id":"1","model":"x","choices":[{"index":0,"message":{"content":"a","refusal":null},'
        b'"logprobs":null,"finish_reason":"stop"},{"index":1,"message":{"content":"\\"refusal\\":"'
        b'},"finish_reason":"stop"}]}'
    )
    first, second = msgspec.json.decode(talk("openai", n=2).answer(said).body)["choices"]
    assert first["message"]["refusal"] is second["message"]["refusal"] is None
    assert first["logprobs"] is second["logprobs"] is None


def test_bytes_pass(talk: Any) -> None:
    """A reply that has all fields leaves as it came, but for the model's name."""
    said = (
        b'{"id":"1", "model": "engine/name","choices":[{"index":0,"message":{"content":"\\u0061",'
        b'"refusal":null},"logprobs":null,"finish_reason":"stop"}],"x":1}'
    )
    body = talk("openai").answer(said).body
    assert body == said.replace(b"engine/name", b"smollm2-135m")


def test_refusal(talk: Any) -> None:
    """Beside a refusal, content is null."""
    said = b'{"choices":[{"message":{"content":null,"refusal":"No."},"finish_reason":"stop"}]}'
    message = msgspec.json.decode(talk("vllm").answer(said).body)["choices"][0]["message"]
    assert (message["content"], message["refusal"]) == (None, "No.")


@pytest.mark.parametrize("finish", ["stop", "length"])
def test_finish(name: str, talk: Any, finish: str) -> None:
    """The finish reason is told, and kept for the receipt."""
    talk = talk(name)
    answer = talk.answer(talk.told(Script(finish=finish)))
    assert answer.finish == finish
    assert msgspec.json.decode(answer.body)["choices"][0]["finish_reason"] == finish


@pytest.mark.parametrize("name", ["vllm", "llamacpp"])
def test_logprobs_without_alternatives(name: str, talk: Any) -> None:
    """Alternatives that nobody asked for are left out; no tokens are an empty list."""
    said = (
        b'{"choices":[{"index":0,"message":{"content":"a"},"finish_reason":"stop","logprobs":'
        b'{"content":[%b]}}]}'
    )
    token = b'{"token":"a","logprob":-1,"top_logprobs":[{"token":"b","logprob":-2}]}'
    for asked in ({}, {"top_logprobs": 0}):
        heard = talk(name, logprobs=True, **asked)
        told, none = (
            msgspec.json.decode(heard.answer(said % tokens).body)["choices"][0]["logprobs"]
            for tokens in (token, b"")
        )
        assert [entry["top_logprobs"] for entry in told["content"]] == [[]]
        assert none == {"content": [], "refusal": None}
