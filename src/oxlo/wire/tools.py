"""The tools of a chat and how they are to be chosen: read in full, as every engine needs them."""

import re
from typing import Any, Literal

import msgspec
from msgspec import Raw

from oxlo.errors import BadRequest
from oxlo.wire.decode import invalid, refused, too_deep

Mode = Literal["none", "auto", "required", "named"]

MOST_TOOLS = 128
#: Levels of a function's parameters, at most: what reads them may recurse.
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


class _Choice(msgspec.Struct):
    type: Literal["function"]
    function: _Named


_tools = msgspec.json.Decoder(list[_Tool])
_choice = msgspec.json.Decoder(_Choice | Literal["none", "auto", "required"])


class Offer(msgspec.Struct, frozen=True):
    """What a request says of tools."""

    functions: tuple[Function, ...] = ()
    mode: Mode = "none"
    #: The function that has to be called, where `mode` is `named`.
    name: str = ""


NO_OFFER = Offer()


def read_tools(tools: Raw | None, choice: Raw | None) -> Offer:
    """Read `tools` and `tool_choice`. Raises BadRequest naming what is wrong."""
    functions = _functions(tools) if tools is not None else ()
    if choice is None:
        return Offer(functions, "auto") if functions else NO_OFFER
    mode, name = _chosen(choice)
    if not functions:
        if mode in ("required", "named"):
            raise invalid("tool_choice", "allowed only with 'tools'.")
        return NO_OFFER
    if mode == "named" and all(function.name != name for function in functions):
        raise invalid("tool_choice", f"there is no tool named {name[:64]!r} in 'tools'.")
    return Offer(functions, mode, name)


def _functions(raw: Raw) -> tuple[Function, ...]:
    try:
        tools = _tools.decode(raw)
    except msgspec.ValidationError as error:
        raise refused(error, list[_Tool], "tools") from None
    if len(tools) > MOST_TOOLS:
        raise invalid("tools", f"at most {MOST_TOOLS} tools, got {len(tools)}.")
    for index, tool in enumerate(tools):
        _check(tool.function, f"tools[{index}].function")
    return tuple(tool.function for tool in tools)


def _check(function: Function, where: str) -> None:
    if not _NAME.fullmatch(function.name):
        raise invalid(f"{where}.name", "expected 1 to 64 of a-z, A-Z, 0-9, _, - and '.'.")
    if not _within(function.parameters, MOST_LEVELS):
        raise too_deep(f"{where}.parameters")


def _within(node: Any, levels: int) -> bool:
    """Whether a JSON value has at most so many levels."""
    if isinstance(node, dict):
        node = list(node.values())
    if not isinstance(node, list):
        return True
    return levels > 0 and all(_within(child, levels - 1) for child in node)


def _chosen(raw: Raw) -> tuple[Mode, str]:
    try:
        choice = _choice.decode(raw)
    except msgspec.ValidationError as error:
        raise _bad_choice(error) from None
    return ("named", choice.function.name) if isinstance(choice, _Choice) else (choice, "")


def _bad_choice(error: msgspec.ValidationError) -> BadRequest:
    if " - at `$" in str(error) or "required field" in str(error):
        return refused(error, _Choice, "tool_choice")
    return invalid(
        "tool_choice",
        'expected none, auto, required or {"type": "function", "function": {"name": ...}}.',
    )
