"""Some tools of many: what engines are told of them, and how a wrong choice is named."""

from collections.abc import Callable
from typing import Any

import pytest

from oxlo.errors import BadRequest
from oxlo.wire import chat

Refuse = Callable[..., BadRequest]
Accept = Callable[..., chat.ChatRequest]


def function(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}


def allowed(mode: str, *tools: dict[str, Any]) -> dict[str, Any]:
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": list(tools)}}


TOOLS = [function("add"), function("sub"), function("mul")]
WHERE = "tool_choice.allowed_tools"
CUSTOM = {"type": "custom", "custom": {"name": "shell"}}


@pytest.mark.parametrize("mode", ["auto", "required"])
def test_allowed_tools(accept: Accept, mode: str) -> None:
    """Of all tools, the allowed ones are left, as they were described and in their order."""
    choice = allowed(mode, function("mul"), function("add"), function("mul"))
    request = accept(tools=TOOLS, tool_choice=choice)
    assert request.offer.mode == mode
    assert [f.name for f in request.offer.functions] == ["add", "mul"]
    assert bytes(request.given["tools"]).count(b'"name"') == 2
    assert bytes(request.given["tool_choice"]) == b'"%b"' % mode.encode()


@pytest.mark.parametrize(
    ("choice", "param", "words"),
    [
        (allowed("auto", function("div")), f"{WHERE}.tools[0]", "no tool named 'div'"),
        (allowed("auto"), f"{WHERE}.tools", "at least one"),
        (allowed("none", function("add")), f"{WHERE}.mode", "one of auto, required"),
        (allowed("auto", CUSTOM), f"{WHERE}.tools[0].type", "of the type 'function'"),
        (allowed("auto", {"type": "mcp"}), f"{WHERE}.tools[0].type", "'mcp'"),
        ({"type": "allowed_tools"}, WHERE, "You must provide"),
        (CUSTOM, "tool_choice.type", "of the type 'function'"),
        ({"type": "mcp"}, "tool_choice", '{"type": "allowed_tools"'),
        ({"type": "function", "name": "add"}, "tool_choice.function", "You must provide"),
        ({}, "tool_choice.type", "You must provide"),
    ],
)
def test_wrong_choice(refuse: Refuse, choice: dict[str, Any], param: str, words: str) -> None:
    """The error names what is wrong with the choice, and says what to send."""
    error = refuse(tools=TOOLS, tool_choice=choice)
    assert error.param == param
    assert words in error.message


def test_allowed_of_nothing(refuse: Refuse) -> None:
    """Where there are no tools, none can be allowed."""
    error = refuse(tool_choice=allowed("auto", function("add")))
    assert error.param == "tool_choice"
