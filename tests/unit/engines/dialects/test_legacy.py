"""Legacy completions in every dialect."""

from typing import Any

import msgspec
import pytest
from openai.types import Completion

from oxlo.errors import BadRequest
from oxlo.testing.script import Script

USAGE = {"stream": True, "stream_options": {"include_usage": True}}
ENTRY = b'{"token":"%b","logprob":-0.5,"top_logprobs":[{"token":"%b","logprob":-0.5}]}'


def test_reply(name: str, talk: Any) -> None:
    """Text, usage, and log probabilities that are null."""
    reply = talk(name, legacy=True).reply(Script(text="a b c"))
    Completion.model_validate(reply, strict=True)
    assert (reply["object"], reply["model"]) == ("text_completion", "smollm2-135m")
    assert reply["choices"] == [
        {"text": "a b c", "index": 0, "logprobs": None, "finish_reason": "stop"}
    ]
    assert reply["usage"]["total_tokens"] == 12


def test_stream(name: str, talk: Any) -> None:
    """The text in pieces, a finish, and usage where it was asked for."""
    talk = talk(name, legacy=True, **USAGE)
    *chunks, last = talk.events(Script(text="a b c"))
    for chunk in (chunks[-1], last):  # OpenAI's own types know no null before the finish
        Completion.model_validate(chunk, strict=True)
    assert {chunk["object"] for chunk in [*chunks, last]} == {"text_completion"}
    choices = [chunk["choices"][0] for chunk in chunks]
    assert "".join(choice["text"] for choice in choices) == "a b c"
    assert [chunk["usage"] for chunk in chunks] == [None] * len(chunks)
    assert choices[-1]["finish_reason"] == "stop"
    assert all(c.keys() == {"text", "index", "logprobs", "finish_reason"} for c in choices)
    assert last["choices"] == []


def test_cut_anywhere(name: str, talk: Any) -> None:
    """However reads cut the engine's bytes, the client gets the same."""
    talk = talk(name, legacy=True, **USAGE)
    said = talk.told(Script(text="Héllo there you"))
    whole = talk.heard(said)[0]
    for size in range(1, 60):
        assert talk.heard(said, size)[0] == whole


@pytest.mark.parametrize("stream", [False, True])
def test_several_prompts(talk: Any, stream: bool) -> None:
    """Prompts times n choices; each prompt is counted once, each answer too."""
    talk = talk("llamacpp", legacy=True, prompt=["x", "y"], n=2, **(USAGE if stream else {}))
    said = b"data: null\n\n" + b"".join(
        b'data: {"id":"chatcmpl-7","choices":[{"index":%d,"text":"a","finish_reason":"stop"}],'
        b'"usage":{"prompt_tokens":%d,"completion_tokens":1}}\n\n' % (i, 5 + i // 2)
        for i in (3, 0, 2, 1)
    )
    said += b"data: [DONE]\n\n"
    assert talk.sent["stream"] is True
    if stream:
        out, translator = talk.heard(said)
        usage, shown = translator.usage, msgspec.json.decode(out.split(b"\n\n")[-2][6:])
    else:
        answer = talk.answer(said)
        usage, shown = answer.usage, msgspec.json.decode(answer.body)
        assert [choice["index"] for choice in shown["choices"]] == [0, 1, 2, 3]
    assert (usage.prompt_tokens, usage.completion_tokens) == (11, 4)
    assert shown["usage"]["total_tokens"] == 15
    assert shown["id"] == "cmpl-7"


def test_echo(talk: Any, read: Any) -> None:
    """llama.cpp has no echo: each choice's first piece begins with its prompt."""
    talk = talk("llamacpp", legacy=True, prompt=["x: ", "y: "], echo=True, stream=True)
    said = b"".join(
        b'data: {"choices":[{"index":%d,"text":"a"}]}\n\n' % index for index in (0, 1, 0)
    )
    choices = [chunk["choices"][0] for chunk in read(talk.heard(said)[0])]
    assert [choice["text"] for choice in choices] == ["x: a", "y: a", "a"]
    assert "echo" not in talk.sent


@pytest.mark.parametrize("logprobs", [0, 2])
def test_no_logprobs_of_a_prompt(talk: Any, logprobs: int) -> None:
    """llama.cpp tells none for a prompt, so it is not asked for them; vLLM does."""
    asked = {"legacy": True, "echo": True, "logprobs": logprobs}
    with pytest.raises(BadRequest) as caught:
        assert talk("llamacpp", **asked).sent
    assert (caught.value.param, caught.value.error_code) == ("logprobs", "unsupported_parameter")
    assert talk("vllm", **asked).sent["echo"] is True
    assert talk("llamacpp", **asked | {"echo": False}).sent["logprobs"]


@pytest.mark.parametrize(
    ("logprobs", "top"), [(0, {"c": -3}), (1, {"a": -1, "c": -3}), (2, {"a": -1, "b": -2, "c": -3})]
)
def test_the_chosen_token_is_among_the_likeliest(talk: Any, logprobs: int, top: Any) -> None:
    """So many of the likeliest, and the chosen one; llama.cpp needs at least 1 to tell any."""
    talk = talk("llamacpp", legacy=True, logprobs=logprobs)
    asked = talk.sent["logprobs"]
    likeliest = [{"token": t, "logprob": -n} for n, t in enumerate("ab", 1)][:asked]
    entry = {"token": "c", "logprob": -3, "top_logprobs": likeliest}
    choice = {"index": 0, "text": "c", "finish_reason": "stop", "logprobs": {"content": [entry]}}
    reply = msgspec.json.decode(talk.answer(msgspec.json.encode({"choices": [choice]})).body)
    assert reply["choices"][0]["logprobs"]["top_logprobs"] == [top]
    assert reply["choices"][0]["logprobs"]["token_logprobs"] == [-3]


def test_aged_logprobs(talk: Any) -> None:
    """llama.cpp tells chat's log probabilities; the client gets the old shape."""
    said = (
        b'{"choices":[{"text":"ab","index":0,"finish_reason":"stop","logprobs":{"content":[%b,%b]}}'
        b"]}" % (ENTRY % (b"a", b"a"), ENTRY % (b"b", b"b"))
    )
    reply = msgspec.json.decode(talk("llamacpp", legacy=True, logprobs=1).answer(said).body)
    assert reply["choices"][0]["logprobs"] == {
        "tokens": ["a", "b"],
        "token_logprobs": [-0.5, -0.5],
        "top_logprobs": [{"a": -0.5}, {"b": -0.5}],
        "text_offset": [0, 1],
    }


def test_legacy_logprobs(talk: Any) -> None:
    """vLLM has the old shape; its own keys are taken out."""
    said = (
        b'{"choices":[{"text":"a","index":0,"finish_reason":"stop","prompt_logprobs":[1],'
        b'"logprobs":{"tokens":["a"],"token_logprobs":[null],"top_logprobs":[null],'
        b'"text_offset":[0],"SECRET":1}}]}'
    )
    reply = msgspec.json.decode(talk("vllm", legacy=True, logprobs=1).answer(said).body)
    assert reply["choices"][0] == {
        "text": "a",
        "index": 0,
        "finish_reason": "stop",
        "logprobs": {
            "tokens": ["a"], "token_logprobs": [None], "top_logprobs": [None], "text_offset": [0],
        },
    }  # fmt: skip
