"""Tool calls for models that do not support them.

The platform describes the tools in the system message. If a call is required, it constrains the
answer by a JSON schema, so that even a very small model makes a valid call; otherwise a call is
recognised by how the answer begins.
"""

from typing import Any

import msgspec
from msgspec import Raw, UnsetType

from oxlo.wire.chat import ChatRequest
from oxlo.wire.decode import too_deep
from oxlo.wire.shapes.messages import Called, Message
from oxlo.wire.tools import Function, Mode

#: Limit on parallel calls in one answer.
MOST_CALLS = 4
#: Limits for unbounded strings and arrays: a small model may never end them by itself.
MOST_CHARACTERS = 200
MOST_ITEMS = 8


class Plan(msgspec.Struct, frozen=True):
    """How a request wants its tools used."""

    mode: Mode
    functions: tuple[Function, ...] = ()
    parallel: bool = True

    @property
    def forced(self) -> bool:
        """Whether the answer must be a tool call."""
        return self.mode in ("required", "named")

    @property
    def names(self) -> frozenset[str]:
        """Names of the functions."""
        return frozenset(f.name for f in self.functions)


NO_TOOLS = Plan("none")


def plan(request: ChatRequest) -> Plan:
    """The plan of a request; if it names a function, only that one."""
    offer = request.offer
    if offer.mode == "none":
        return NO_TOOLS
    named = offer.mode == "named"
    functions = tuple(f for f in offer.functions if not named or f.name == offer.name)
    parallel = request.given.get("parallel_tool_calls") is not False and not named
    return Plan(offer.mode, functions, parallel)


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
    """The schema with limits on strings and arrays that have none."""
    if isinstance(node, list):
        return [bounded(item) for item in node]
    if not isinstance(node, dict):
        return node
    limits: dict[str, Any] = {}
    if node.get("type") == "string" and not _STRING_LIMITS & node.keys():
        limits["maxLength"] = MOST_CHARACTERS
    if node.get("type") == "array" and "maxItems" not in node:
        least = node.get("minItems")
        limits["maxItems"] = max(MOST_ITEMS, least if isinstance(least, int) else 0)
    if node.get("type") == "object" and "properties" in node:
        limits["additionalProperties"] = False
    return {key: _bounded_value(key, value) for key, value in node.items()} | limits


_STRING_LIMITS = {"maxLength", "minLength", "enum", "const", "pattern", "format"}


def _bounded_value(key: str, value: Any) -> Any:
    if key in ("properties", "$defs", "definitions") and isinstance(value, dict):
        return {name: bounded(child) for name, child in value.items()}
    return bounded(value) if key in ("items", "anyOf", "oneOf", "allOf", "prefixItems") else value


def instructions(tools: Plan) -> str:
    """The description of the tools for the system message."""
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


class _Part(msgspec.Struct):
    text: str | None = None


_content = msgspec.json.Decoder(str | list[_Part] | None)


def rendered(turns: list[Message], tools: Plan) -> Raw:
    """Messages for a chat template without tools: calls and results become text.

    Raises BadRequest if they are nested too deeply.
    """
    try:
        messages = [_as_text(turn) for turn in turns]
        if tools.mode != "none":
            _instruct(messages, instructions(tools))
        return Raw(msgspec.json.encode(messages))
    except RecursionError:
        raise too_deep("messages") from None


def _as_text(turn: Message) -> dict[str, Any]:
    if turn.role in ("tool", "function"):
        return {"role": "user", "content": f"The function returned: {_text(turn.content)}"}
    if turn.tool_calls:
        lines = [_text(turn.content), *(_call(call.function) for call in turn.tool_calls)]
        return {"role": turn.role, "content": "\n".join(lines).strip()}
    unchanged = turn.content if isinstance(turn.content, Raw) else None
    return {"role": turn.role, "content": unchanged}


def _call(function: Called) -> str:
    name = msgspec.json.encode(function.name).decode()
    return f'{{"name": {name}, "arguments": {function.arguments or "{}"}}}'


def _text(content: Raw | UnsetType | None) -> str:
    decoded = _content.decode(content) if isinstance(content, Raw) else None
    if isinstance(decoded, list):
        return "".join(part.text or "" for part in decoded)
    return decoded or ""


def _instruct(messages: list[dict[str, Any]], text: str) -> None:
    first = messages[0]
    if first["role"] in ("system", "developer"):
        first["content"] = f"{_text(first['content'])}\n\n{text}"
    else:
        messages.insert(0, {"role": "system", "content": text})
