"""What one choice of an answer says: plain words, or tool calls read out of its text."""

import secrets
from typing import Any, Protocol

import msgspec
from msgspec import UNSET, UnsetType

from oxlo.engines.dialects.tools import Mode, Plan
from oxlo.engines.dialects.toolscan import Begin, Event, Scanner


class FunctionDelta(msgspec.Struct, omit_defaults=True):
    """A function's name, or a piece of its arguments."""

    name: str | UnsetType = UNSET
    arguments: str | UnsetType = UNSET


class CallDelta(msgspec.Struct, omit_defaults=True):
    """A piece of a tool call; `id`, `type` and the name come with the first only."""

    index: int | UnsetType = UNSET
    id: str | UnsetType = UNSET
    type: str | UnsetType = UNSET
    function: FunctionDelta | UnsetType = UNSET


class Delta(msgspec.Struct, omit_defaults=True):
    """What one event adds to a message."""

    role: str | UnsetType = UNSET
    content: str | UnsetType | None = UNSET
    refusal: str | UnsetType | None = UNSET
    reasoning_content: str | UnsetType = UNSET
    tool_calls: list[CallDelta] | msgspec.Raw | UnsetType = UNSET


class Speech(Protocol):
    """One choice, piece by piece."""

    def say(self, text: str) -> list[Delta]:
        """What a piece of the model's text adds."""
        ...

    def end(self, finish: str) -> tuple[list[Delta], str]:
        """What was held back, and OpenAI's finish reason for the engine's."""
        ...


def speech(tools: Plan) -> Speech:
    """The speech of one choice of an answer to a request with these tools."""
    if tools.forced:
        return Forced("stop" if tools.mode is Mode.NAMED else "tool_calls")
    return Free(tools) if tools.mode is Mode.AUTO else Plain()


class Plain:
    """Words."""

    def say(self, text: str) -> list[Delta]:
        """Pass them on."""
        return [Delta(content=text)]

    def end(self, finish: str) -> tuple[list[Delta], str]:
        """Nothing was held back."""
        return [], finish


class Forced:
    """An answer that is constrained to be calls."""

    def __init__(self, finish: str) -> None:
        self._scanner = Scanner()
        self._finish = finish

    def say(self, text: str) -> list[Delta]:
        """The calls' pieces."""
        return [Delta(tool_calls=[_piece(event)]) for event in self._scanner.feed(text)]

    def end(self, finish: str) -> tuple[list[Delta], str]:
        """A complete call ends as such; one that was cut says so."""
        return [], self._finish if finish == "stop" and self._scanner.complete else "length"


class Free:
    """An answer that may be words or a call: held back only while it could be a call."""

    def __init__(self, tools: Plan) -> None:
        self._names = tools.names
        self._held: str | None = ""

    def say(self, text: str) -> list[Delta]:
        """Words at once; what begins like a call waits for its end."""
        if self._held is None:
            return [Delta(content=text)]
        self._held += text
        start = self._held.lstrip()
        if any(start.startswith(sign) or sign.startswith(start) for sign in _SIGNS):
            return []
        said, self._held = self._held, None
        return [Delta(content=said)]

    def end(self, finish: str) -> tuple[list[Delta], str]:
        """Calls of known tools, or the words that only looked like some."""
        held, self._held = self._held or "", None
        events = _calls(held, self._names)
        if events:
            return [Delta(tool_calls=[_piece(event)]) for event in events], "tool_calls"
        return ([Delta(content=held)] if held else []), finish


_SIGNS = ("{", "[{", "<tool_call>", "```json")


def _calls(text: str, names: frozenset[str]) -> list[Event]:
    """The complete calls that a text consists of; none if it is anything else."""
    for mark in ("<tool_call>", "</tool_call>", "```json", "```"):
        text = text.replace(mark, "")
    scanner = Scanner()
    events = scanner.feed(text.strip())
    known = all(event.name in names for event in events if isinstance(event, Begin))
    return events if scanner.complete and known else []


def _piece(event: Event) -> CallDelta:
    if isinstance(event, Begin):
        return CallDelta(
            index=event.index,
            id=f"call_{secrets.token_hex(12)}",
            type="function",
            function=FunctionDelta(name=event.name, arguments=""),
        )
    return CallDelta(index=event.index, function=FunctionDelta(arguments=event.text))


class Message:
    """Deltas put together."""

    def __init__(self) -> None:
        self.content: str | None = None
        self.reasoning: str = ""
        self.calls: list[dict[str, Any]] = []
        self.raw_calls: msgspec.Raw | None = None

    def add(self, delta: Delta) -> None:
        """Take in one delta."""
        if isinstance(delta.content, str):
            self.content = (self.content or "") + delta.content
        if isinstance(delta.reasoning_content, str):
            self.reasoning += delta.reasoning_content
        if isinstance(delta.tool_calls, list):
            for piece in delta.tool_calls:
                self._add_call(piece)
        elif isinstance(delta.tool_calls, msgspec.Raw):
            self.raw_calls = delta.tool_calls

    def _add_call(self, piece: CallDelta) -> None:
        function = piece.function
        assert isinstance(function, FunctionDelta)
        if isinstance(piece.id, str):
            named = {"name": function.name, "arguments": ""}
            self.calls.append({"id": piece.id, "type": "function", "function": named})
        if isinstance(function.arguments, str):
            self.calls[-1]["function"]["arguments"] += function.arguments

    def as_dict(self) -> dict[str, Any]:
        """The message of a whole reply."""
        calls: Any = self.raw_calls or self.calls
        content = None if calls and not self.content else self.content or ""
        message: dict[str, Any] = {
            "role": "assistant",
            "content": content,
            "refusal": None,
            "annotations": [],
        }
        if self.reasoning:
            message["reasoning_content"] = self.reasoning
        if calls:
            message["tool_calls"] = calls
        return message
