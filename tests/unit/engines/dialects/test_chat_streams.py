"""Chat streams: every engine's becomes OpenAI's, chunk for chunk."""

from typing import Any

import msgspec
import pytest
from openai.types.chat import ChatCompletionChunk

from oxlo.errors import EngineFailed
from oxlo.testing.script import Script

WITH_USAGE = {"stream": True, "stream_options": {"include_usage": True}}
TOOLS = [{"type": "function", "function": {"name": name}} for name in ("add", "sub")]
CALLS = Script(tool_calls=(("add", '{"a": 1}'), ("sub", '{"b": 2}')))
KEYS = {"id", "object", "created", "model", "choices", "system_fingerprint", "service_tier"}


def deltas(chunks: list[Any], index: int = 0) -> list[Any]:
    """What the choices of one index add."""
    return [c["delta"] for chunk in chunks for c in chunk["choices"] if c["index"] == index]


def test_shape(name: str, talk: Any) -> None:
    """A role, the words, a finish; every event has OpenAI's keys and no others."""
    chunks = talk(name, stream=True).events(Script(text="Hello there you"))
    for chunk in chunks:
        ChatCompletionChunk.model_validate(chunk, strict=True)
        assert chunk.keys() <= KEYS
        assert (chunk["object"], chunk["model"]) == ("chat.completion.chunk", "smollm2-135m")
        assert (chunk["id"], chunk["created"]) == ("chatcmpl-1", 1_795_391_999)
        for choice in chunk["choices"]:
            assert choice.keys() == {"index", "delta", "logprobs", "finish_reason"}
            assert choice["logprobs"] is None
    first, *middle, last = deltas(chunks)
    assert first == {"role": "assistant", "content": "", "refusal": None}
    assert "".join(delta["content"] for delta in middle) == "Hello there you"
    assert not last.get("content")
    finishes = [chunk["choices"][0]["finish_reason"] for chunk in chunks]
    assert finishes == [None] * (len(chunks) - 1) + ["stop"]


@pytest.mark.parametrize(
    ("fields", "script"),
    [
        (WITH_USAGE, Script(text="Héllo 世界 there")),
        ({"stream": True, "n": 2}, Script(reasoning="Hm. Well.")),
        (WITH_USAGE | {"tools": TOOLS}, CALLS),
    ],
)
def test_cut_anywhere(name: str, talk: Any, fields: Any, script: Script) -> None:
    """However reads cut the engine's bytes, the client gets the same."""
    talk = talk(name, **fields)
    said = talk.told(script)
    whole, stream = talk.heard(said)
    assert stream.done
    for size in range(1, 60):
        assert talk.heard(said, size)[0] == whole
    for cut in range(len(said)):
        split = talk.translator()
        assert split.feed(said[:cut]) + split.feed(said[cut:]) + split.close() == whole


def test_line_ends(name: str, talk: Any) -> None:
    """CRLF, comments and other fields of events make no difference."""
    talk = talk(name, **WITH_USAGE)
    said = talk.told(Script())
    odd = b": hello\n\n" + said.replace(b"data: ", b"event: x\ndata:").replace(b"\n", b"\r\n")
    for size in (0, 1, 7):
        assert talk.heard(odd, size)[0] == talk.heard(said)[0]


def test_usage_asked_for(name: str, talk: Any) -> None:
    """Usage is null on every chunk; the last has it, and no choices."""
    *chunks, last = talk(name, **WITH_USAGE).events(Script(text="a b c", cached_tokens=4))
    assert [chunk["usage"] for chunk in chunks] == [None] * len(chunks)
    assert all(chunk["choices"] for chunk in chunks)
    assert last["choices"] == []
    usage = last["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (9, 3)
    assert usage["total_tokens"] == 12
    assert usage["prompt_tokens_details"]["cached_tokens"] == 4
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 0
    ChatCompletionChunk.model_validate(last, strict=True)


def test_usage_not_asked_for(name: str, talk: Any) -> None:
    """No chunk tells usage, and the receipt knows it all the same."""
    talk = talk(name, stream=True)
    out, stream = talk.heard(talk.told(Script(text="a b c", cached_tokens=4)))
    assert b"usage" not in out
    told = stream.usage
    assert (told.prompt_tokens, told.completion_tokens, told.cached_tokens) == (9, 3, 4)
    assert stream.finish == "stop"


@pytest.mark.parametrize("size", [0, 7, 400])
def test_pieces_are_counted(name: str, talk: Any, size: int) -> None:
    """However it is read, a stream knows how many events had something of the answer."""
    said = talk(name, stream=True).told(Script(text="a b c d e f g h i", chunks=9))
    assert talk(name, stream=True).heard(said, size)[1].pieces == 9


@pytest.mark.parametrize("wants", [True, False])
def test_usage_beside_words(talk: Any, read: Any, wants: bool) -> None:
    """An engine that tells usage in its last choice's chunk: the client gets OpenAI's order."""
    for name in ("openai", "vllm"):
        asked = talk(
            name, stream=True, **({"stream_options": {"include_usage": True}} if wants else {})
        )
        said = (
            b'data: {"id":"1","model":"engine/name","choices":[{"index":0,"delta":{"content":"a"},'
            b'"finish_reason":"stop"}],"usage": {"prompt_tokens":3,"completion_tokens":1,'
            b'"total_tokens":4}}\n\ndata: [DONE]\n\n'
        )
        out, stream = asked.heard(said)
        assert (stream.usage.prompt_tokens, stream.usage.completion_tokens) == (3, 1)
        *chunks, last = read(out)
        if wants:
            assert all(chunk["usage"] is None for chunk in chunks)
            assert last["choices"] == []
            assert last["usage"]["total_tokens"] == 4
        else:
            assert b"usage" not in out


def test_several_choices(name: str, talk: Any) -> None:
    """Each choice has its role, words and finish; usage is that of all."""
    chunks = talk(name, n=3, **WITH_USAGE).events(Script(text="a b"))
    for index in range(3):
        parts = deltas(chunks, index)
        assert parts[0]["role"] == "assistant"
        assert "".join(part.get("content") or "" for part in parts) == "a b"
    finishes = [c["finish_reason"] for chunk in chunks for c in chunk["choices"]]
    assert finishes.count("stop") == 3
    assert chunks[-1]["usage"]["prompt_tokens"] == 9


def test_each_choice_tells_usage(talk: Any, read: Any) -> None:
    """llama.cpp tells each choice's usage: one prompt, and the answers together."""
    said = b"".join(
        b'data: {"choices":[{"index":%d,"delta":{"content":"a"},"finish_reason":"stop"}]}\n\n'
        b'data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":%d}}\n\n' % (i, i + 1)
        for i in range(2)
    )
    out, stream = talk("llamacpp", n=2, **WITH_USAGE).heard(said + b"data: [DONE]\n\n")
    assert (stream.usage.prompt_tokens, stream.usage.completion_tokens) == (7, 3)
    assert read(out)[-1]["usage"]["total_tokens"] == 10


def test_tool_calls(name: str, talk: Any) -> None:
    """Fragments carry their index; id, type and name come once, with the first."""
    chunks = talk(name, tools=TOOLS, stream=True).events(CALLS)
    pieces = [p for delta in deltas(chunks) for p in delta.get("tool_calls", ())]
    for index, (function, arguments) in enumerate(CALLS.tool_calls):
        first, *rest = [piece for piece in pieces if piece["index"] == index]
        assert first["type"] == "function"
        assert first["function"]["name"] == function
        assert first["id"]
        assert all(piece.keys() == {"index", "function"} for piece in rest)
        assert all(piece["function"].keys() == {"arguments"} for piece in rest)
        told = "".join(piece["function"]["arguments"] for piece in [first, *rest])
        assert told == arguments
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


@pytest.mark.parametrize("name", ["vllm", "llamacpp"])
def test_content_is_null_beside_calls(talk: Any, name: str) -> None:
    """An answer that begins with a call has no content."""
    first = deltas(talk(name, tools=TOOLS, stream=True).events(CALLS))[0]
    assert first == {"role": "assistant", "content": None, "refusal": None}


def test_reasoning(name: str, talk: Any) -> None:
    """Thoughts are told beside the content, under one name."""
    chunks = talk(name, stream=True).events(Script(reasoning="Hm.", text="Yes."))
    parts = deltas(chunks)
    assert [p["reasoning_content"] for p in parts if "reasoning_content" in p] == ["Hm."]
    assert "".join(part.get("content") or "" for part in parts) == "Yes."
    assert not any("reasoning" in part for part in parts)


@pytest.mark.parametrize("key", ["reasoning", "reasoning_content"])
@pytest.mark.parametrize("other", ["", ',"reasoning":null', ',"reasoning_content":null'])
def test_both_names_of_thoughts(talk: Any, read: Any, key: str, other: str) -> None:
    """vLLM has had two names for thoughts, and at times sends both."""
    if key in other:
        other = ""
    said = f'data: {{"choices":[{{"index":0,"delta":{{"{key}":"Hm."{other}}}}}]}}\n\n'
    out, stream = talk("vllm", stream=True).heard(said.encode())
    assert stream.started
    assert deltas(read(out))[1] == {"reasoning_content": "Hm."}


@pytest.mark.parametrize("name", ["vllm", "llamacpp"])
def test_private_keys(talk: Any, read: Any, name: str) -> None:
    """What an engine adds to OpenAI's shape, at any level, does not leave."""
    said = (
        b'data: {"id":"1","object":"x","created":1,"model":"m","SECRET":1,"prompt_token_ids":[1],'
        b'"timings":{"SECRET":1},"choices":[{"index":0,"SECRET":1,"token_ids":[5],"stop_reason":7,'
        b'"logprobs":{"SECRET":1,"content":[{"token":"a","id":5,"logprob":-0.5,"bytes":[97],'
        b'"SECRET":1,"top_logprobs":[{"id":9,"token":"b","logprob":-1.5,"SECRET":1}]}]},'
        b'"delta":{"content":"a","SECRET":1,"audio":null,"tool_calls":[{"index":0,"id":"c",'
        b'"SECRET":1,"function":{"name":"f","arguments":"{}","SECRET":1}}]},'
        b'"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"SECRET":1}}\n\n'
        b"data: [DONE]\n\n"
    )
    out, stream = talk(name, logprobs=True, **WITH_USAGE).heard(said)
    assert stream.done
    for private in (b"SECRET", b"token_ids", b"stop_reason", b"timings", b'"id":5', b'"id":9'):
        assert private not in out
    for chunk in read(out):
        ChatCompletionChunk.model_validate(chunk, strict=True)


def test_logprobs(talk: Any, read: Any) -> None:
    """A token has its text, probability, bytes and alternatives, even when there are none."""
    said = (
        b'data: {"choices":[{"index":0,"delta":{"content":"a"},"logprobs":{"content":[{"id":1,'
        b'"token":"a","logprob":-0.5}]}}]}\n\n'
    )
    for name in ("vllm", "llamacpp"):
        out, _ = talk(name, stream=True, logprobs=True).heard(said)
        role, words = (chunk["choices"][0] for chunk in read(out))
        assert role["logprobs"] is None
        entry = {"token": "a", "logprob": -0.5, "bytes": None, "top_logprobs": []}
        assert words["logprobs"] == {"content": [entry], "refusal": None}


def test_held_logprobs(talk: Any, read: Any) -> None:
    """Text that might have become a call keeps its log probabilities while it is held."""
    said = b"".join(
        b'data: {"choices":[{"index":0,"delta":{"content":%b},"finish_reason":%b,'
        b'"logprobs":{"content":[{"token":%b,"logprob":-1}]}}]}\n\n' % (text, finish, text)
        for text, finish in ((b'"{"', b"null"), (b'"x"', b'"stop"'))
    )
    asked = talk("llamacpp", tools_by="constrained", stream=True, logprobs=True, tools=TOOLS)
    out, _ = asked.heard(said)
    told = [c["choices"][0] for c in read(out)]
    tokens = [e["token"] for c in told for e in (c["logprobs"] or {"content": []})["content"]]
    assert tokens == ["{", "x"]
    assert "".join(c["delta"].get("content") or "" for c in told) == "{x"


def test_refusal(name: str, talk: Any, read: Any) -> None:
    """A refusal is content of its own."""
    said = b'data: {"id":"1","choices":[{"index":0,"delta":{"refusal":"No."}}]}\n\n'
    out, stream = talk(name, stream=True).heard(said)
    assert stream.started
    assert deltas(read(out))[-1]["refusal"] == "No."


def test_strange_finish(talk: Any) -> None:
    """A reason that OpenAI has not is shown as one that it has."""
    said = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"repetition"}]}\n\n'
    for name in ("vllm", "llamacpp"):
        assert talk(name, stream=True).heard(said)[1].finish == "stop"


@pytest.mark.parametrize("finish", ["stop", "length", "content_filter"])
def test_finish(name: str, talk: Any, finish: str) -> None:
    """The finish reason is the engine's."""
    chunks = talk(name, stream=True).events(Script(finish=finish))
    assert chunks[-1]["choices"][0]["finish_reason"] == finish


def test_not_started_by_a_role(name: str, talk: Any) -> None:
    """A role alone is no content: another replica may still be tried."""
    said = b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n'
    assert not talk(name, stream=True).heard(said)[1].started


def test_passes_bytes_on(talk: Any) -> None:
    """OpenAI's own events leave as they came, but for the model's name."""
    said = (
        b'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"engine/name",'
        b'"choices":[{"index":0,"delta":{"content":"\\u0061 {\\"model\\":\\"engine/name\\"}"},'
        b'"logprobs":null,"finish_reason":null}],"obfuscation":"xyz"}\n\n'
    )
    out, _ = talk("openai", stream=True).heard(said * 3)
    assert out == said.replace(b'"model":"engine/name",', b'"model":"smollm2-135m",') * 3


def test_alike_events(name: str, talk: Any) -> None:
    """Words that only differ in themselves are told the same one by one, all at once, and cut."""
    talk = talk(name, **WITH_USAGE)
    text = 'plain words \u00e9\u4e16 "quoted" back\\slash new\nline tab\t nul\x00 end'
    said = talk.told(Script(text=text, chunks=len(text)))
    whole, _ = talk.heard(said)
    stream = talk.translator()
    single = b"".join(stream.feed(event + b"\n\n") for event in said.split(b"\n\n")[:-1])
    assert single + stream.close() == whole
    told = [msgspec.json.decode(event[6:]) for event in whole.split(b"\n\n")[:-1]]
    assert "".join(delta.get("content") or "" for delta in deltas(told)) == text


def test_changes_between_alike_events(talk: Any, read: Any) -> None:
    """A finish, a call or a wrong event among words that are alike is never overlooked."""
    words = (
        b'data: {"id":"1","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}\n\n'
    )
    finish = words.replace(b":null", b':"length"')
    for name in ("openai", "vllm", "llamacpp"):
        out, stream = talk(name, stream=True).heard(words * 4 + finish + b"data: [DONE]\n\n")
        assert stream.finish == "length"
        assert stream.done
        assert read(out)[-1]["choices"][0]["finish_reason"] == "length"
        _, stream = talk(name, stream=True).heard(words * 4 + words.replace(b'"a"', b'"a'))
        assert type(stream.error) is EngineFailed


def test_dated_name(talk: Any, read: Any) -> None:
    """Whatever an upstream calls the model, the client sees the id that it asked for."""
    for spelled in (
        b'"model":"gpt-4o-2024"',
        b'"model": "gpt-4o-2024"',
        b'"model" : "gpt-4o-2024"',
    ):
        said = b'data: {"id":"1",%b,"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n' % spelled
        assert {chunk["model"] for chunk in read(talk("openai").heard(said * 3)[0])} == {
            "smollm2-135m"
        }


def test_error_that_is_none(name: str, talk: Any) -> None:
    """A server that says error: null has no error."""
    said = b'data: {"error":null,"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
    stream = talk(name, stream=True).heard(said)[1]
    assert stream.started
    assert stream.error is None
