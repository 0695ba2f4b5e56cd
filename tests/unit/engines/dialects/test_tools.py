"""Tool calls for models that cannot make them: told in words, forced, read from text."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oxlo.engines.dialects.tools import MOST_CALLS, bounded, plan, schema
from oxlo.engines.dialects.toolscan import Arguments, Begin, Scanner
from oxlo.errors import BadRequest
from oxlo.wire import chat

ADD = {
    "name": "add",
    "description": "Adds.",
    "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}},
}
TOOLS = [{"type": "function", "function": ADD}, {"type": "function", "function": {"name": "sub"}}]
NAMED = {"type": "function", "function": {"name": "add"}}
ONE = '{"name": "add", "arguments": {"a": "}]\\"{"}}'
TWO = '[{"name": "add", "arguments": {"a": 1}}, {"name": "sub", "arguments": {}}]'


def scan(text: str, cuts: list[int] | None = None) -> list[tuple[str, str]]:
    """The calls in a text that comes in pieces: (name, arguments)."""
    scanner = Scanner()
    ends = sorted({*(cuts or []), len(text)})
    calls: list[list[str]] = []
    for start, end in zip([0, *ends], ends, strict=False):
        for event in scanner.feed(text[start:end]):
            if isinstance(event, Begin):
                assert event.index == len(calls)
                calls.append([event.name, ""])
            else:
                assert isinstance(event, Arguments)
                calls[event.index][1] += event.text
    assert scanner.complete is bool(calls)
    return [(name, arguments) for name, arguments in calls]


@given(
    st.lists(
        st.tuples(
            st.text(min_size=1, max_size=6),
            st.dictionaries(
                st.text(alphabet='a"\\{}[],: ', max_size=5),
                st.text(alphabet='a"\\{}[],: ', max_size=5) | st.lists(st.integers()),
                max_size=3,
            ),
        ),
        min_size=1,
        max_size=3,
    ),
    st.lists(st.integers(0, 200)),
    st.sampled_from([None, 1]),
)
def test_scanned_anyhow(calls: Any, cuts: list[int], indent: int | None) -> None:
    """Calls are read whatever their arguments hold, and wherever the text is cut."""
    told = [{"name": name, "arguments": arguments} for name, arguments in calls]
    text = json.dumps(told if len(told) > 1 else told[0], indent=indent)
    found = scan(text, [cut for cut in cuts if cut < len(text)])
    assert [(name, json.loads(arguments)) for name, arguments in found] == calls


@pytest.mark.parametrize("arguments", ["5", '"a}"', "null", "true", "[1, [2]]", "-1.5e3"])
def test_odd_arguments(arguments: str) -> None:
    """Arguments of any JSON type end where they end."""
    for text in (
        f'{{"name":"f","arguments":{arguments}}}',
        f'[{{"name":"f","arguments":{arguments}}}]',
    ):
        for cut in range(len(text)):
            assert scan(text, [cut]) == [("f", arguments)]


@pytest.mark.parametrize("text", ["", "Hello", "{", '{"name": "f"', '{"a": 1}', "[]"])
def test_no_calls(text: str) -> None:
    """What is no call begins none."""
    assert scan(text) == []


def test_cut_call() -> None:
    """A call that was cut is not complete."""
    scanner = Scanner()
    scanner.feed(ONE[:-6])
    assert scanner.calls == 1
    assert not scanner.complete


def forced(talk: Any, choice: Any = "required", **fields: Any) -> Any:
    """A conversation that has to end in a call."""
    return talk("llamacpp", tools_by="constrained", tools=TOOLS, tool_choice=choice, **fields)


def reply(text: str, finish: str = "stop") -> bytes:
    """llama.cpp's reply with this text."""
    message = {"role": "assistant", "content": text}
    return msgspec.json.encode({"choices": [{"finish_reason": finish, "message": message}]})


def stream(text: str, finish: str = "stop", size: int = 3) -> bytes:
    """llama.cpp's stream with this text."""
    said = [
        {"choices": [{"index": 0, "delta": {"content": text[i : i + size]}, "finish_reason": None}]}
        for i in range(0, len(text), size)
    ]
    said.append({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    return b"".join(b"data: %b\n\n" % msgspec.json.encode(e) for e in said) + b"data: [DONE]\n\n"


def test_forced_by_schema(talk: Any) -> None:
    """A required call constrains the answer; the engine's own tools stay out of it."""
    sent = forced(talk).sent
    assert not {"tools", "tool_choice", "parallel_tool_calls"} & sent.keys()
    told = sent["response_format"]["json_schema"]["schema"]
    assert (told["type"], told["minItems"], told["maxItems"]) == ("array", 1, MOST_CALLS)
    names = [each["properties"]["name"]["const"] for each in told["items"]["anyOf"]]
    assert names == ["add", "sub"]
    assert "add" in sent["messages"][0]["content"]


def test_one_call_only(talk: Any) -> None:
    """A named function, or no parallel calls: one object, not a list."""
    assert schema(plan(forced(talk, NAMED).request))["properties"]["name"] == {"const": "add"}
    one = schema(plan(forced(talk, parallel_tool_calls=False).request))
    assert len(one["anyOf"]) == 2


@pytest.mark.parametrize("choice", ["required", NAMED])
def test_forced_reply(talk: Any, choice: Any) -> None:
    """The text becomes calls; a named one ends with stop, as at OpenAI."""
    call = forced(talk, choice)
    (shown,) = msgspec.json.decode(call.answer(reply(ONE)).body)["choices"]
    (made,) = shown["message"]["tool_calls"]
    assert made["function"] == {"name": "add", "arguments": '{"a": "}]\\"{"}'}
    assert made["id"].startswith("call_")
    assert shown["message"]["content"] is None
    assert shown["finish_reason"] == ("stop" if choice is NAMED else "tool_calls")


@pytest.mark.parametrize("size", [1, 3, 10, 200])
def test_forced_stream(talk: Any, read: Any, size: int) -> None:
    """Arguments leave as they come; the role's content is null; ids differ."""
    out, heard = forced(talk, stream=True).heard(stream(TWO, size=size))
    first, *chunks, last = [chunk["choices"][0] for chunk in read(out)]
    assert first["delta"] == {"role": "assistant", "content": None, "refusal": None}
    pieces = [piece for chunk in chunks for piece in chunk["delta"]["tool_calls"]]
    assert len({piece["id"] for piece in pieces if "id" in piece}) == 2
    told = {0: "", 1: ""}
    for piece in pieces:
        told[piece["index"]] += piece["function"]["arguments"]
    assert told == {0: '{"a": 1}', 1: "{}"}
    assert (last["delta"], last["finish_reason"]) == ({}, "tool_calls")
    assert heard.started


@pytest.mark.parametrize(
    ("text", "finish"), [(ONE[:-6], "length"), (ONE[:-6], "stop"), ("", "stop")]
)
def test_cut_forced(talk: Any, text: str, finish: str) -> None:
    """A call that did not end says so."""
    assert forced(talk).answer(reply(text, finish)).finish == "length"


def auto(talk: Any, **fields: Any) -> Any:
    """A conversation that may end in a call."""
    return talk("llamacpp", tools_by="constrained", tools=TOOLS, **fields)


@pytest.mark.parametrize("text", [ONE, f"<tool_call>\n{ONE}\n</tool_call>", f"```json\n{ONE}\n```"])
def test_free_call(talk: Any, read: Any, text: str) -> None:
    """A model that calls by itself is understood, in the usual wrappings."""
    (shown,) = msgspec.json.decode(auto(talk).answer(reply(text)).body)["choices"]
    assert shown["finish_reason"] == "tool_calls"
    assert shown["message"]["tool_calls"][0]["function"]["name"] == "add"
    chunks = read(auto(talk, stream=True).heard(stream(text))[0])
    assert chunks[0]["choices"][0]["delta"]["content"] is None
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


@pytest.mark.parametrize(
    "text",
    [
        "Hello there", '{"a": 1}', '{"name": "mul", "arguments": {}}', '{"name": "add"', " {", "`",
        '{"name": "a\\qb", "arguments": {}}', '{"name": "add\n", "arguments": {}}',
    ],
)  # fmt: skip
def test_free_words(talk: Any, read: Any, text: str) -> None:
    """Anything else is words, every one of them."""
    (shown,) = msgspec.json.decode(auto(talk).answer(reply(text)).body)["choices"]
    assert (shown["message"]["content"], shown["finish_reason"]) == (text, "stop")
    assert "tool_calls" not in shown["message"]
    chunks = read(auto(talk, stream=True).heard(stream(text, size=1))[0])
    told = [chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks]
    assert "".join(told) == text


def test_words_do_not_wait(talk: Any) -> None:
    """Words leave at once: only what begins like a call is held."""
    translator = auto(talk, stream=True).translator()
    event = b'data: {"choices":[{"index":0,"delta":{"content":"%b"}}]}\n\n'
    assert b"Hel" in translator.feed(event % b"Hel")
    assert b"{x" in translator.feed(event % b"{x")


def test_told_in_words(talk: Any) -> None:
    """Templates that know no tools: calls and results become words; the system message is kept."""
    call = {"id": "1", "type": "function", "function": {"name": 'a"b', "arguments": '{"a":1}'}}
    messages = [
        {"role": "system", "content": [{"type": "text", "text": "Be brief."}]},
        {"role": "user", "content": [{"type": "text", "text": "2+2?"}]},
        {"role": "assistant", "content": "Well:", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": [{"type": "text", "text": "4"}]},
    ]
    system, user, assistant, result = auto(talk, messages=messages).sent["messages"]
    assert system["content"].startswith("Be brief.\n\nYou can call these functions.")
    assert '"name":"add"' in system["content"]
    assert user == messages[1]
    assert assistant["content"] == 'Well:\n{"name": "a\\"b", "arguments": {"a":1}}'
    assert result == {"role": "user", "content": "The function returned: 4"}


def test_results_without_tools(talk: Any) -> None:
    """A conversation that had calls goes on without tools."""
    messages = [
        {"role": "user", "content": "Hi"},
        {"role": "tool", "tool_call_id": "1", "content": "4"},
    ]
    sent = talk("llamacpp", tools_by="constrained", messages=messages).sent["messages"]
    assert sent[1] == {"role": "user", "content": "The function returned: 4"}
    assert talk("llamacpp", messages=messages).sent["messages"] == messages


def test_native_tools(name: str, talk: Any) -> None:
    """A model that calls tools by itself gets them untouched, while it is free to."""
    sent = talk(name, tools=TOOLS).sent
    assert sent["tools"] == TOOLS
    assert sent["messages"] == [{"role": "user", "content": "Hi"}]


def test_none_chosen(talk: Any) -> None:
    """Tools that may not be called are not told of."""
    sent = auto(talk, tool_choice="none").sent
    assert sent["messages"] == [{"role": "user", "content": "Hi"}]
    assert "tools" not in sent


def test_nesting_at_the_edge(talk: Any) -> None:
    """Messages that were read can be put into words, or are refused: nothing breaks."""
    call = auto(talk)
    outcomes = set()
    for levels in range(850, 1000):
        inside = b"[" * levels + b"]" * levels
        part = b'{"type":"text","text":"a","x":%b}' % inside
        body = b'{"model":"m","messages":[{"role":"user","content":[%b]}],"tools":%b}'
        try:
            request, _ = chat.decode(body % (part, msgspec.json.encode(TOOLS)))
            call.dialect.chat(request, call.decided)
            outcomes.add("sent")
        except BadRequest as error:
            outcomes.add(error.error_code)
    assert outcomes <= {"sent", "too_deep"}


def test_bounded() -> None:
    """Strings and lists that would never end get a length; what has bounds keeps them."""
    told = bounded(
        {
            "type": "object",
            "properties": {
                "type": {"type": "string"},
                "b": {"type": "array", "minItems": 20, "items": {"type": "string", "enum": ["x"]}},
                "c": {"anyOf": [{"type": "string", "maxLength": 5}, {"type": "array"}]},
            },
        }
    )
    assert told["additionalProperties"] is False
    assert told["properties"]["type"] == {"type": "string", "maxLength": 200}
    assert told["properties"]["b"]["maxItems"] == 20
    assert told["properties"]["b"]["items"] == {"type": "string", "enum": ["x"]}
    assert told["properties"]["c"]["anyOf"][0]["maxLength"] == 5
    assert told["properties"]["c"]["anyOf"][1]["maxItems"] == 8


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["type", "items", "properties", "anyOf", "minItems", "enum", "x"]),
                inner | st.sampled_from(["string", "array", "object"]),
                max_size=4,
            )
        ),
        max_leaves=10,
    )
)
def test_any_schema(parameters: Any) -> None:
    """A schema of any shape is bounded without an error: the engine says what it makes of it."""
    msgspec.json.encode(bounded(parameters))
