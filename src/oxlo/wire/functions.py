"""OpenAI's old spelling of tools, `functions` and `function_call`, in the new one.

Everything behind reads tools only; `engines/dialects/functions.py` spells the answer back.
"""

from typing import Any, Literal

import msgspec
from msgspec import Raw, UnsetType
from msgspec.structs import replace

from oxlo.wire.decode import invalid, refused
from oxlo.wire.shapes.messages import Message, ToolCall
from oxlo.wire.tools import MOST_TOOLS, Function, check_function


class _Named(msgspec.Struct):
    name: str


_Choice = _Named | Literal["none", "auto"]
_functions = msgspec.json.Decoder(list[Function])
_each = msgspec.json.Decoder(list[Raw])
_choice = msgspec.json.Decoder(_Choice)
_encode = msgspec.json.Encoder().encode
_NOTHING_SAID = Raw(b'""')


def respell(given: dict[str, Any]) -> None:
    """Replace both fields by `tools` and `tool_choice`. Raises BadRequest."""
    functions, call = given.pop("functions", None), given.pop("function_call", None)
    old = "functions" if functions is not None else "function_call"
    if "tools" in given or "tool_choice" in given:
        raise invalid(old, "not allowed beside 'tools' and 'tool_choice'. Send those alone.")
    names = _names(functions) if functions is not None else []
    choice = _chosen(call, names) if call is not None else None
    if functions is None or not names:
        return
    tools = (b'{"type":"function","function":%b}' % bytes(raw) for raw in _each.decode(functions))
    given["tools"] = Raw(b"[%b]" % b",".join(tools))
    given["parallel_tool_calls"] = False  # an answer has room for one call
    if choice is not None:
        given["tool_choice"] = choice


def _names(raw: Raw) -> list[str]:
    try:
        functions = _functions.decode(raw)
    except msgspec.ValidationError as error:
        raise refused(error, list[Function], "functions") from None
    if len(functions) > MOST_TOOLS:
        raise invalid("functions", f"at most {MOST_TOOLS} functions, got {len(functions)}.")
    for index, function in enumerate(functions):
        check_function(function, f"functions[{index}]")
    return [function.name for function in functions]


def _chosen(raw: Raw, names: list[str]) -> Raw:
    """The equivalent `tool_choice`."""
    try:
        choice: _Choice = _choice.decode(raw)
    except msgspec.ValidationError:
        raise invalid("function_call", 'expected none, auto or {"name": ...}.') from None
    if not isinstance(choice, _Named):
        return raw
    if not names:
        raise invalid("function_call", "a name is allowed only with 'functions'.")
    if choice.name not in names:
        raise invalid(
            "function_call", f"there is no function named {choice.name[:64]!r} in 'functions'."
        )
    return Raw(_encode({"type": "function", "function": {"name": choice.name}}))


def respelled(messages: list[Message]) -> list[Message]:
    """The messages with tool calls; each result belongs to the last call of its function."""
    ids: dict[str, str] = {}
    return [_turn(message, f"call_{index}", ids) for index, message in enumerate(messages)]


def _turn(message: Message, own: str, ids: dict[str, str]) -> Message:
    called = message.function_call
    if called is not None and message.tool_calls:  # some clients say the same in both spellings
        return replace(message, function_call=None)
    if called is not None:
        ids[called.name] = own
        return replace(message, function_call=None, tool_calls=[ToolCall(own, called)])
    if message.role != "function":
        return message
    said = message.content
    content = _NOTHING_SAID if isinstance(said, UnsetType) or bytes(said) == b"null" else said
    call_id = ids.get(message.name or "", own)
    return replace(message, role="tool", tool_call_id=call_id, content=content)
