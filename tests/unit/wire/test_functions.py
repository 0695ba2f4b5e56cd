"""OpenAI's old spelling of tools: what it becomes, and how what is wrong with it is named."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from oxlo.errors import BadRequest
from oxlo.wire import chat

Refuse = Callable[..., BadRequest]
Accept = Callable[..., chat.ChatRequest]

ADD = {"name": "add", "description": "Adds.", "parameters": {"type": "object", "x-own": 1}}
SUB = {"name": "sub"}
CALL = {"name": "add", "arguments": '{"a": 1}'}
ASK = {"role": "user", "content": "Hi"}
SAID = {"role": "assistant", "content": None, "function_call": CALL}
RESULT = {"role": "function", "name": "add", "content": "2"}


def test_functions_are_tools(accept: Accept) -> None:
    """Functions are tools, described by the same words; an answer has room for one call."""
    request = accept(functions=[ADD, SUB])
    assert request.old_spelling
    assert json.loads(bytes(request.given["tools"])) == [
        {"type": "function", "function": ADD},
        {"type": "function", "function": SUB},
    ]
    assert request.given["parallel_tool_calls"] is False
    assert request.offer.mode == "auto"
    assert not {"functions", "function_call"} & request.given.keys()
    assert not accept(tools=[{"type": "function", "function": ADD}]).old_spelling


@pytest.mark.parametrize(
    ("call", "mode"), [("none", "none"), ("auto", "auto"), ({"name": "sub"}, "named")]
)
def test_function_call(accept: Accept, call: Any, mode: str) -> None:
    """Functions are chosen as tools are."""
    offer = accept(functions=[ADD, SUB], function_call=call).offer
    assert offer.mode == mode
    assert offer.name == ("sub" if mode == "named" else "")


@pytest.mark.parametrize("fields", [{"functions": []}, {"function_call": "auto"}])
def test_nothing_to_call(accept: Accept, fields: dict[str, Any]) -> None:
    """No function is no tool."""
    assert not accept(**fields).has_tools


@pytest.mark.parametrize(
    ("fields", "param", "words"),
    [
        ({"functions": "add"}, "functions", "expected array"),
        ({"functions": [{}]}, "functions[0].name", "You must provide"),
        ({"functions": [{"name": "a b"}]}, "functions[0].name", "1 to 64"),
        ({"functions": [ADD] * 129}, "functions", "at most 128"),
        ({"functions": [ADD], "tools": []}, "functions", "not allowed beside 'tools'"),
        ({"function_call": "auto", "tools": []}, "function_call", "not allowed beside"),
        ({"function_call": {"name": "add"}}, "function_call", "only with 'functions'"),
        ({"functions": [ADD], "function_call": {"name": "x"}}, "function_call", "named 'x'"),
        ({"functions": [ADD], "function_call": "required"}, "function_call", "none, auto or"),
        ({"messages": [{"role": "function", "content": "2"}]}, "messages[0].name", "provide"),
    ],
)
def test_wrong_function(refuse: Refuse, fields: dict[str, Any], param: str, words: str) -> None:
    """The error names the field that was sent, never the one that it became."""
    error = refuse(**fields)
    assert error.param == param
    assert words in error.message


def test_history(accept: Accept) -> None:
    """Earlier calls are tools' calls, and a result is that of its function's last call."""
    request = accept(messages=[ASK, SAID, RESULT, SAID, {**RESULT, "content": None}])
    assert not request.old_spelling
    turns = json.loads(chat_bytes(request))
    assert [turn["role"] for turn in turns] == ["user", "assistant", "tool", "assistant", "tool"]
    assert "function_call" not in turns[1]
    assert [call["function"] for call in turns[1]["tool_calls"]] == [CALL]
    assert turns[2]["tool_call_id"] == turns[1]["tool_calls"][0]["id"]
    assert turns[4]["tool_call_id"] == turns[3]["tool_calls"][0]["id"]
    assert turns[1]["tool_calls"][0]["id"] != turns[3]["tool_calls"][0]["id"]
    assert turns[4]["content"] == ""
    assert request.given["messages"] is request.messages
    assert request.summary.unusual == {"tool"}


def test_both_spellings_in_one_message(accept: Accept) -> None:
    """A call that is told twice is one call."""
    call = {"id": "c", "type": "function", "function": CALL}
    turns = json.loads(chat_bytes(accept(messages=[ASK, {**SAID, "tool_calls": [call]}])))
    assert turns[1]["tool_calls"] == [call]
    assert "function_call" not in turns[1]


def chat_bytes(request: chat.ChatRequest) -> bytes:
    """The messages as engines are sent them."""
    return msgspec.json.encode(request.messages)
