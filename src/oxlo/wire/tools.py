"""Decoding `tools` and `tool_choice`, which every engine needs in full."""

import re
from typing import Any, Literal

import msgspec
from msgspec import Raw

from oxlo.errors import BadRequest
from oxlo.wire.decode import invalid, refused, too_deep

Mode = Literal["none", "auto", "required", "named"]

MOST_TOOLS = 128
#: Limit on nesting in a function's parameters, because they are processed recursively.
MOST_LEVELS = 64

_NAME = re.compile(r"[A-Za-z0-9_\-.]{1,64}")


class Function(msgspec.Struct):
    """A function that a model may call; `parameters` is a JSON schema."""

    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class _Tool(msgspec.Struct):
    type: Literal["function"]
    function: Function


class _Named(msgspec.Struct):
    name: str


class _Choice(msgspec.Struct, tag_field="type", tag="function"):
    function: _Named


class _Custom(msgspec.Struct, tag_field="type", tag="custom"):
    pass


class _Subset(msgspec.Struct):
    mode: Literal["auto", "required"]
    tools: list[_Choice | _Custom]


class _Allowed(msgspec.Struct, tag_field="type", tag="allowed_tools"):
    allowed_tools: _Subset


_Object = _Choice | _Allowed | _Custom
_Word = Literal["none", "auto", "required"]
_tools = msgspec.json.Decoder(list[_Tool])
_each = msgspec.json.Decoder(list[Raw])
_choice = msgspec.json.Decoder(_Object | _Word)
_NOT_HERE = "is not served here; only tools of the type 'function' are, which you run yourself."
_NO_CUSTOM = "custom tools are not served here; describe a tool of the type 'function' instead."


class Offer(msgspec.Struct, frozen=True):
    """The tools of a request, and how they may be used."""

    functions: tuple[Function, ...] = ()
    mode: Mode = "none"
    #: The function that must be called, if `mode` is `named`.
    name: str = ""


NO_OFFER = Offer()


def read_tools(given: dict[str, Any]) -> Offer:
    """Decode `tools` and `tool_choice`. Raises BadRequest that names what is wrong.

    If the choice allows only some tools, the others are dropped.
    """
    tools, raw = given.get("tools"), given.get("tool_choice")
    functions = _functions(tools) if tools is not None else ()
    if raw is None:
        return Offer(functions, "auto") if functions else NO_OFFER
    choice = _chosen(raw)
    if not functions:
        if choice not in ("none", "auto"):
            raise invalid("tool_choice", "allowed only with 'tools'.")
        return NO_OFFER
    if isinstance(choice, _Allowed):
        return _allowed(choice.allowed_tools, functions, given)
    if isinstance(choice, _Choice):
        name = choice.function.name
        _check_known(name, functions, "tool_choice")
        return Offer(functions, "named", name)
    return Offer(functions, choice)


def _allowed(subset: _Subset, functions: tuple[Function, ...], given: dict[str, Any]) -> Offer:
    """The allowed tools, in the order of `tools`; engines get no others."""
    where, names = "tool_choice.allowed_tools.tools", set[str]()
    if not subset.tools:
        raise invalid(where, "name at least one tool.")
    for index, tool in enumerate(subset.tools):
        if isinstance(tool, _Custom):
            raise invalid(f"{where}[{index}].type", _NO_CUSTOM)
        _check_known(tool.function.name, functions, f"{where}[{index}]")
        names.add(tool.function.name)
    each = zip(_each.decode(given["tools"]), functions, strict=True)
    given["tools"] = Raw(b"[%b]" % b",".join(bytes(raw) for raw, f in each if f.name in names))
    given["tool_choice"] = Raw(b'"%b"' % subset.mode.encode())
    return Offer(tuple(f for f in functions if f.name in names), subset.mode)


def _check_known(name: str, functions: tuple[Function, ...], where: str) -> None:
    if all(function.name != name for function in functions):
        raise invalid(where, f"there is no tool named {name[:64]!r} in 'tools'.")


def _functions(raw: Raw) -> tuple[Function, ...]:
    try:
        tools = _tools.decode(raw)
    except msgspec.ValidationError as error:
        raise _bad_tool(error) from None
    if len(tools) > MOST_TOOLS:
        raise invalid("tools", f"at most {MOST_TOOLS} tools, got {len(tools)}.")
    for index, tool in enumerate(tools):
        check_function(tool.function, f"tools[{index}].function")
    return tuple(tool.function for tool in tools)


def _bad_tool(error: msgspec.ValidationError) -> BadRequest:
    worded, text = refused(error, list[_Tool], "tools"), str(error)
    if text.startswith("Invalid enum value 'custom'") and worded.param:
        return invalid(worded.param, _NO_CUSTOM)
    if text.startswith("Invalid enum value") and worded.param:
        return invalid(worded.param, f"{text.split(chr(39))[1][:40]!r} {_NOT_HERE}")
    return worded


def check_function(function: Function, where: str) -> None:
    """Validate name and parameters of a function. Raises BadRequest."""
    if not _NAME.fullmatch(function.name):
        raise invalid(f"{where}.name", "expected 1 to 64 of a-z, A-Z, 0-9, _, - and '.'.")
    if not _within(function.parameters, MOST_LEVELS):
        raise too_deep(f"{where}.parameters")


def _within(node: Any, levels: int) -> bool:
    """Whether a JSON value is nested at most this deep."""
    if isinstance(node, dict):
        node = list(node.values())
    if not isinstance(node, list):
        return True
    return levels > 0 and all(_within(child, levels - 1) for child in node)


def _chosen(raw: Raw) -> _Choice | _Allowed | _Word:
    try:
        choice: _Object | _Word = _choice.decode(raw)
    except msgspec.ValidationError as error:
        raise _bad_choice(error) from None
    if isinstance(choice, _Custom):
        raise invalid("tool_choice.type", _NO_CUSTOM)
    return choice


def _bad_choice(error: msgspec.ValidationError) -> BadRequest:
    text = str(error)
    if "`$.type`" not in text and (" - at `$" in text or "required field" in text):
        return refused(error, _Allowed, "tool_choice")
    return invalid(
        "tool_choice",
        'expected none, auto, required, {"type": "function", "function": {"name": ...}} or '
        '{"type": "allowed_tools", "allowed_tools": {"mode": ..., "tools": [...]}}.',
    )
