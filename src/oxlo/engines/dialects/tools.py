"""Tool calls for models that cannot make them by themselves.

The platform describes the tools in the system message. Where a call is required, it constrains the
answer by a JSON schema, so that even a very small model calls a tool and fits its parameters; where
the model is free, a call is recognised by how the answer begins.
"""

from enum import Enum
from typing import Any

import msgspec

from oxlo.errors import BadRequest
from oxlo.wire.chat import ChatRequest
from oxlo.wire.tools import Function

#: Calls in one answer, at most, when they may be parallel.
MOST_CALLS = 4
#: Bounds for what a schema leaves open: a small model may never close such a string by itself.
MOST_CHARACTERS = 200
MOST_ITEMS = 8


class Mode(Enum):
    """Who decides whether a tool is called."""

    NONE = "none"
    AUTO = "auto"
    REQUIRED = "required"
    NAMED = "named"


class Plan(msgspec.Struct, frozen=True):
    """What a request wants of its tools."""

    mode: Mode
    functions: tuple[Function, ...] = ()
    parallel: bool = True

    @property
    def forced(self) -> bool:
        """Whether the answer has to be a call."""
        return self.mode in (Mode.REQUIRED, Mode.NAMED)

    @property
    def names(self) -> frozenset[str]:
        """The functions' names."""
        return frozenset(f.name for f in self.functions)


NO_TOOLS = Plan(Mode.NONE)


def plan(request: ChatRequest) -> Plan:
    """What the request wants; only the named function counts where one is named."""
    offer = request.offer
    mode = Mode(offer.mode)
    if mode is Mode.NONE:
        return NO_TOOLS
    named = mode is Mode.NAMED
    functions = tuple(f for f in offer.functions if not named or f.name == offer.name)
    parallel = request.parallel_tool_calls is not False and not named
    return Plan(mode, functions, parallel)


def schema(tools: Plan) -> dict[str, Any]:
    """The JSON schema of a forced answer."""
    calls = [_call_schema(f) for f in tools.functions]
    one = calls[0] if len(calls) == 1 else {"anyOf": calls}
    if not tools.parallel:
        return one
    return {"type": "array", "items": one, "minItems": 1, "maxItems": MOST_CALLS}


def _call_schema(function: Function) -> dict[str, Any]:
    parameters = function.parameters or {"type": "object", "properties": {}}
    return {
        "type": "object",
        "properties": {"name": {"const": function.name}, "arguments": bounded(parameters)},
        "required": ["name", "arguments"],
        "additionalProperties": False,
    }


def bounded(node: Any) -> Any:
    """A schema whose strings and lists end: those that say no length get one."""
    if isinstance(node, list):
        return [bounded(item) for item in node]
    if not isinstance(node, dict):
        return node
    limits: dict[str, Any] = {}
    if node.get("type") == "string" and not _STRING_ENDS & node.keys():
        limits["maxLength"] = MOST_CHARACTERS
    if node.get("type") == "array" and "maxItems" not in node:
        limits["maxItems"] = max(MOST_ITEMS, node.get("minItems", 0))
    if node.get("type") == "object" and "properties" in node:
        limits["additionalProperties"] = False
    return {key: _bounded_value(key, value) for key, value in node.items()} | limits


_STRING_ENDS = {"maxLength", "minLength", "enum", "const", "pattern", "format"}


def _bounded_value(key: str, value: Any) -> Any:
    if key in ("properties", "$defs", "definitions") and isinstance(value, dict):
        return {name: bounded(child) for name, child in value.items()}
    return bounded(value) if key in ("items", "anyOf", "oneOf", "allOf", "prefixItems") else value


def instructions(tools: Plan) -> str:
    """What the system message says of the tools."""
    listed = "\n".join(_described(f) for f in tools.functions)
    head = f"You can call these functions. Each line is one, as JSON:\n{listed}\n"
    if tools.forced and tools.parallel:
        return head + 'Answer only with a JSON list: [{"name": ..., "arguments": {...}}]'
    if tools.forced:
        return head + 'Answer only with JSON: {"name": ..., "arguments": {...}}'
    return (
        head + "If a function helps to answer, reply only with JSON: "
        '{"name": ..., "arguments": {...}}. Otherwise answer in plain words.'
    )


def _described(function: Function) -> str:
    shown = {"name": function.name, "description": function.description}
    shown["parameters"] = function.parameters  # type: ignore[assignment]
    return msgspec.json.encode({k: v for k, v in shown.items() if v is not None}).decode()


def rendered(raw: bytes, tools: Plan) -> bytes:
    """Messages for a template that knows nothing of tools: calls and results become words."""
    messages = [_in_words(message) for message in msgspec.json.decode(raw)]
    if tools.mode is not Mode.NONE:
        _instruct(messages, instructions(tools))
    return msgspec.json.encode(messages)


def _in_words(message: dict[str, Any]) -> dict[str, Any]:
    role, content = message["role"], message.get("content")
    if role == "tool":
        return {"role": "user", "content": f"The function returned: {_text(content)}"}
    calls = message.get("tool_calls")
    if role == "assistant" and calls:
        return {"role": role, "content": "\n".join([_text(content), *map(_call, calls)]).strip()}
    return {"role": role, "content": content}


def _call(call: Any) -> str:
    if not isinstance(call, dict) or not isinstance(call.get("function"), dict):
        raise BadRequest("Each of 'tool_calls' needs a function.", param="messages")
    function = call["function"]
    return f'{{"name": "{function.get("name")}", "arguments": {function.get("arguments")}}}'


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "".join(part.get("text") or "" for part in content)
    return content or ""


def _instruct(messages: list[dict[str, Any]], text: str) -> None:
    if messages and messages[0]["role"] in ("system", "developer"):
        messages[0] = messages[0] | {"content": f"{_text(messages[0]['content'])}\n\n{text}"}
    else:
        messages.insert(0, {"role": "system", "content": text})
