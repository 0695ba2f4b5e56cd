"""Answers in the old spelling of tools: the first call is the function's."""

from typing import Any

import msgspec
import pytest

from oxlo.engines.dialect import Translator
from oxlo.engines.dialects.functions import FunctionStream, answer
from oxlo.errors import EngineFailed
from oxlo.testing.script import Script

ARGUMENTS = '{"a": 1, "said": "\\"tool_calls\\""}'
CALLS = Script(text="", tool_calls=(("add", ARGUMENTS), ("sub", "{}")), finish="tool_calls")
OLD = {"functions": [{"name": "add"}, {"name": "sub"}]}


@pytest.fixture
def spelled(talk: Any) -> Any:
    """A conversation in the old spelling."""

    class Spelled(talk):  # type: ignore[misc]
        def translator(self) -> Translator:
            return FunctionStream(super().translator())

    return Spelled


def test_whole(name: str, spelled: Any) -> None:
    """A whole reply has the call without an id, and says why it ended."""
    talk = spelled(name, **OLD)
    told = answer(talk.answer(talk.told(CALLS)))
    choice = msgspec.json.decode(told.body)["choices"][0]
    assert choice["message"]["function_call"] == {"name": "add", "arguments": ARGUMENTS}
    assert choice["message"]["content"] is None
    assert "tool_calls" not in choice["message"]
    assert choice["finish_reason"] == told.finish == "function_call"
    assert told.usage.prompt_tokens == 9


@pytest.mark.parametrize("size", [0, 7])
def test_streamed(name: str, spelled: Any, read: Any, size: int) -> None:
    """The name comes first, then pieces of the arguments; further calls are left out."""
    talk = spelled(name, stream=True, stream_options={"include_usage": True}, **OLD)
    out, stream = talk.heard(talk.told(CALLS), size)
    assert (stream.done, stream.error, stream.finish) == (True, None, "function_call")
    *events, usage = read(out)
    assert usage["choices"] == []
    assert stream.usage.prompt_tokens == 9
    deltas = [event["choices"][0]["delta"] for event in events]
    assert not any("tool_calls" in delta for delta in deltas)
    calls = [delta["function_call"] for delta in deltas if "function_call" in delta]
    assert calls[0]["name"] == "add"
    assert not any("name" in call for call in calls[1:])
    assert "".join(call.get("arguments", "") for call in calls) == ARGUMENTS
    assert events[-1]["choices"][0]["finish_reason"] == "function_call"


def test_words_are_left_alone(name: str, spelled: Any, talk: Any) -> None:
    """An answer without a call has the same bytes in either spelling."""
    script = Script(text='Say "tool_calls".')
    said = talk(name, **OLD).told(script)
    plain = talk(name, **OLD).answer(said)
    assert answer(plain) is plain
    streamed = talk(name, stream=True, **OLD).told(script)
    heard, _ = spelled(name, stream=True, **OLD).heard(streamed)
    assert heard == talk(name, stream=True, **OLD).heard(streamed)[0]


def test_no_sense_in_a_call(spelled: Any) -> None:
    """A call that is none ends the stream as the engine's failure."""
    stream = spelled("openai", stream=True, **OLD).translator()
    words = b'data: {"choices":[{"delta":{"role":"assistant","content":"a"}}]}\n\n'
    call = b'data: {"choices":[{"delta":{"content":"a","tool_calls":[{"function":5}]}}]}\n\n'
    assert stream.feed(words + call + words) == words
    assert type(stream.error) is EngineFailed
    assert stream.feed(words) == b""
