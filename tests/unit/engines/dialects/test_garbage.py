"""Engines that say nonsense: the call fails as one of ours, never otherwise."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oxlo.engines.dialects import DIALECTS
from oxlo.errors import ApiError, BadRequest, EngineFailed
from oxlo.testing.script import Script

DEEP = b"[" * 100_000
WRONG = [
    b"hello",
    b"{",
    b"null5",
    b"[]",
    b"5",
    b"{}",
    b'{"choices":null}',
    b'{"choices":{}}',
    b'{"choices":[5]}',
    b'{"choices":[{"index":"0"}]}',
    b'{"choices":[{"index":-1,"text":"a","delta":{"content":"a"}}]}',
    b'{"choices":[{"finish_reason":5}]}',
    b'{"choices":[],"usage":5}',
    b'{"choices":[],"usage":{"prompt_tokens":"9"}}',
    b'{"choices":[],"usage":{"prompt_tokens":-9}}',
    b'{"choices":[],"usage":{"completion_tokens":1.5}}',
    b'{"choices":[],"usage":{"completion_tokens":9223372036854775808}}',
    b'{"choices":[{"delta":' + DEEP + b"}]}",
    DEEP,
    b"\xff\xfe",
    b'{"choices":[{"delta":{"content":"\xff"},"text":"\xff"}]}',
    b"<html>Bad gateway</html>",
]
CHAT_WRONG = [
    b'{"choices":[{"index":0,"delta":5,"message":5}]}',
    b'{"choices":[{"index":0,"delta":{"content":5},"message":{"content":5}}]}',
    b'{"choices":[{"index":0,"delta":{"tool_calls":5},"message":{"tool_calls":5}}]}',
    b'{"choices":[{"index":0,"delta":{"tool_calls":[5]},"message":{"tool_calls":[5]}}]}',
]


def engine_event(payload: bytes) -> bytes:
    """One event of an engine."""
    return b"data: %b\n\n" % payload


@pytest.mark.parametrize("wrong", WRONG + CHAT_WRONG)
@pytest.mark.parametrize("begun", [False, True])
def test_wrong_event(name: str, talk: Any, wrong: bytes, begun: bool) -> None:
    """A senseless event ends the stream as a failure; nothing after it leaves."""
    talk = talk(name, stream=True)
    said = talk.told(Script())
    before = said[: said.rfind(b"data: ", 0, -40)] if begun else b""
    stream = talk.translator()
    out = stream.feed(before)
    assert stream.started is begun
    assert stream.feed(engine_event(wrong) + said) == b""
    assert type(stream.error) is EngineFailed
    assert not stream.done
    assert bool(out) is begun


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("wrong", [b"", b'{"choices":[]}', *WRONG])
def test_wrong_reply(name: str, talk: Any, wrong: bytes, legacy: bool) -> None:
    """A senseless reply is a failure of the engine."""
    with pytest.raises(EngineFailed):
        talk(name, legacy=legacy).answer(wrong)


@pytest.mark.parametrize("wrong", CHAT_WRONG)
def test_wrong_message(name: str, talk: Any, wrong: bytes) -> None:
    """So is one whose message is none."""
    with pytest.raises(EngineFailed):
        talk(name).answer(wrong)


@pytest.mark.parametrize("legacy", [False, True])
def test_only_done(name: str, talk: Any, legacy: bool) -> None:
    """An end without an answer is none."""
    _, stream = talk(name, legacy=legacy, stream=True).heard(b"data: [DONE]\n\n")
    assert type(stream.error) is EngineFailed
    assert not stream.done


@pytest.mark.parametrize("legacy", [False, True])
def test_truncated(name: str, talk: Any, legacy: bool) -> None:
    """A stream without its end is never done, wherever it was cut."""
    talk = talk(name, legacy=legacy, stream=True)
    said = talk.told(Script())
    for cut in range(len(said) - 2):
        assert not talk.heard(said[:cut])[1].done


@pytest.mark.parametrize("legacy", [False, True])
def test_nothing_after_done(name: str, talk: Any, legacy: bool) -> None:
    """What follows the end is not looked at."""
    talk = talk(name, legacy=legacy, stream=True)
    said = talk.told(Script())
    out, stream = talk.heard(said + engine_event(b"garbage"))
    assert stream.error is None
    assert out == talk.heard(said)[0]


def test_never_ending_event(name: str, talk: Any) -> None:
    """An event that does not end is given up, not kept for ever."""
    stream = talk(name, stream=True).translator()
    for _ in range(80):
        stream.feed(b"x" * (1 << 16))
    assert type(stream.error) is EngineFailed


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("count", [0, 1, 2])
def test_error_event(name: str, talk: Any, legacy: bool, count: int) -> None:
    """An error within a stream is told as ours; what came before it stays."""
    talk = talk(name, legacy=legacy, stream=True)
    out, stream = talk.heard(talk.told(Script(error="CUDA error at /opt/x.cu", after=count)))
    assert type(stream.error) is EngineFailed
    assert "CUDA" not in stream.error.message
    assert not stream.done
    assert bool(out) is (count > 0)
    assert stream.started is (count > 0)


@pytest.mark.parametrize("legacy", [False, True])
def test_callers_error_event(name: str, talk: Any, legacy: bool) -> None:
    """An error of the caller's making keeps its status."""
    said = engine_event(b'{"error":{"code":400,"message":"bad schema","type":"x"}}')
    error = talk(name, legacy=legacy, stream=True).heard(said)[1].error
    assert type(error) is BadRequest


def test_choices_nobody_asked_for(talk: Any) -> None:
    """A choice beyond n is a failure, not one more answer."""
    for name in ("vllm", "llamacpp"):
        for legacy in (False, True):
            said = b'{"choices":[{"index":2,"text":"a","delta":{"content":"a"},"message":{}}]}'
            asked = talk(name, legacy=legacy, stream=True, n=2)
            assert type(asked.heard(engine_event(said))[1].error) is EngineFailed
            with pytest.raises(EngineFailed):
                asked.answer(said)


@pytest.mark.parametrize(
    "body", [b"", b"x", b"{}", b"[]", b'{"count":"5"}', b'{"tokens":5}', b'{"input_tokens":null}']
)
def test_wrong_count(name: str, talk: Any, body: bytes) -> None:
    """A count that is none is a failure of the engine."""
    for legacy in (False, True):
        asked = talk(name, legacy=legacy)
        counting = asked.dialect.count(asked.request, asked.decided)
        if counting is not None:
            with pytest.raises(EngineFailed):
                counting[1](body)


SCALARS = st.none() | st.booleans() | st.integers(-3, 2**40) | st.floats() | st.text(max_size=5)
KEYS = st.sampled_from(
    ["choices", "index", "delta", "message", "content", "text", "finish_reason", "logprobs",
     "tool_calls", "function", "name", "arguments", "usage", "prompt_tokens", "error", "id",
     "reasoning", "tokens", "token_logprobs", "top_logprobs", "token", "logprob", "code",
     "completion_tokens", "created", "detail", "model", "prompt_tokens_details", "refusal"]
)  # fmt: skip
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=20,
)
CHUNK = st.fixed_dictionaries({"choices": st.lists(st.dictionaries(KEYS, JSON), max_size=2)})
NAMES = st.sampled_from(list(DIALECTS))
FIELDS = st.sampled_from(
    [
        {},
        {"n": 2},
        {"stream_options": {"include_usage": True}},
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        {
            "tools": [{"type": "function", "function": {"name": "f"}}],
            "tool_choice": "required",
        },
    ]
)


@given(
    NAMES, FIELDS, st.lists(JSON | CHUNK | st.binary(max_size=20), max_size=4), st.integers(0, 9)
)
def test_any_stream(talk: Any, name: str, fields: Any, said: list[Any], size: int) -> None:
    """Any events make a stream or one of our errors, and what leaves is JSON."""
    events = [e if isinstance(e, bytes) else msgspec.json.encode(e) for e in said]
    data = b"".join(map(engine_event, events)) + engine_event(b"[DONE]")
    out, stream = talk(name, stream=True, **fields).heard(data, size)
    assert stream.done or isinstance(stream.error, ApiError)
    for event in out.split(b"\n\n")[:-1]:
        msgspec.json.decode(event.removeprefix(b"data: "))


@given(NAMES, FIELDS, JSON | CHUNK, st.booleans())
def test_any_reply(talk: Any, name: str, fields: Any, said: Any, legacy: bool) -> None:
    """Any reply is an answer or one of our errors."""
    asked = talk(name, legacy=legacy, **({} if legacy else fields) | {"stream": True})
    try:
        answer = asked.answer(msgspec.json.encode(said))
    except ApiError:
        return
    assert msgspec.json.decode(answer.body)["choices"]
    assert answer.finish


@given(NAMES, st.lists(JSON | CHUNK, max_size=3))
def test_any_legacy_stream(talk: Any, name: str, said: list[Any]) -> None:
    """The same for legacy completions."""
    data = b"".join(engine_event(msgspec.json.encode(e)) for e in said) + engine_event(b"[DONE]")
    _, stream = talk(name, legacy=True, stream=True).heard(data)
    assert stream.done or isinstance(stream.error, ApiError)


@given(NAMES, st.sampled_from([400, 404, 413, 422, 429, 500, 503]), JSON | st.binary(max_size=30))
def test_any_error(name: str, status: int, said: Any) -> None:
    """Any words of a failing engine become one of our errors."""
    body = said if isinstance(said, bytes) else msgspec.json.encode(said)
    error = DIALECTS[name].error(status, body)
    assert isinstance(error, ApiError)
    assert (error.status == 400) if status in (400, 413, 422) else error.status >= 400
