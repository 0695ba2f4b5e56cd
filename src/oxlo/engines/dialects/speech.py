"""What one choice of an answer says: plain words, or tool calls read out of its text."""

import secrets
from typing import Any, Protocol

from msgspec import UNSET

from oxlo.engines.dialects.chunks import finish_of
from oxlo.engines.dialects.shapes.chunks import Call, Choice, Logprob, Logprobs, Said
from oxlo.engines.dialects.shapes.deltas import CallDelta, Delta, FunctionDelta
from oxlo.engines.dialects.thoughts import Thinking, Thoughtful
from oxlo.engines.dialects.tools import Plan
from oxlo.engines.dialects.toolscan import Begin, Event, Scanner


class Speech(Protocol):
    """The text of one choice, piece by piece."""

    @property
    def is_plain(self) -> bool:
        """Whether text is passed on as it comes, from here to the end."""
        ...

    def say(self, text: str) -> list[Delta]:
        """What a piece of the model's text adds."""
        ...

    def end(self, finish: str) -> tuple[list[Delta], str]:
        """What was held back, and OpenAI's finish reason for the engine's."""
        ...


def speech(tools: Plan, thinking: Thinking) -> Speech:
    """The speech of one choice of an answer to a request with these tools."""
    answer = _answer(tools)
    return answer if thinking == "none" else Thoughtful(answer, thinking)


def _answer(tools: Plan) -> Speech:
    if tools.forced:
        return Forced("stop" if tools.mode == "named" else "tool_calls")
    return Free(tools) if tools.mode == "auto" else Plain()


class Plain:
    """Words."""

    is_plain = True

    def say(self, text: str) -> list[Delta]:
        """Pass them on."""
        return [Delta(content=text)]

    def end(self, finish: str) -> tuple[list[Delta], str]:
        """Nothing was held back."""
        return [], finish


class Forced:
    """An answer that is constrained to be calls."""

    is_plain = False

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

    is_plain = False

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
        return _begun(event.index, None, event.name, "")
    return CallDelta(index=event.index, function=FunctionDelta(arguments=event.text))


def _begun(index: int, id_: str | None, name: str, arguments: str) -> CallDelta:
    return CallDelta(
        index=index,
        id=id_ or f"call_{secrets.token_hex(12)}",
        type="function",
        function=FunctionDelta(name, arguments),
    )


class Voice:
    """One choice of an answer as it comes: what its pieces add to the client's message."""

    __slots__ = ("_calls", "_held", "_speech", "began")

    def __init__(self, tools: Plan, thinking: Thinking) -> None:
        self._speech = speech(tools, thinking)
        #: Something was said.
        self.began = False
        #: Calls that the engine made out by itself.
        self._calls: set[int] = set()
        #: Log probabilities of text that is held back.
        self._held: list[Logprob] = []

    @property
    def is_plain(self) -> bool:
        """Whether text is passed on as it comes, from here to the end."""
        return self._speech.is_plain

    def hear(self, choice: Choice, said: Said | None) -> tuple[list[Delta], Logprobs | None, str]:
        """What a piece adds, its log probabilities, and the finish reason (or nothing)."""
        deltas = [] if said is None else self._say(said)
        finish = ""
        if choice.finish_reason:
            held, finish = self._speech.end(finish_of(choice.finish_reason))
            deltas += held
        if choice.logprobs is not None and choice.logprobs.content:
            self._held += choice.logprobs.content
        return deltas, self._logprobs(deltas, finish), finish

    def _logprobs(self, deltas: list[Delta], finish: str) -> Logprobs | None:
        """Those of the text that leaves now; they need an event to travel in."""
        if not self._held or not (deltas or finish):
            return None
        held, self._held = self._held, []
        return Logprobs(held)

    def _say(self, said: Said) -> list[Delta]:
        deltas: list[Delta] = []
        thoughts = said.reasoning_content or said.reasoning
        if thoughts:
            deltas.append(Delta(reasoning_content=thoughts))
            if isinstance(self._speech, Thoughtful):
                self._speech.told_apart()
        if said.content:
            deltas += self._speech.say(said.content)
        if said.refusal:
            deltas.append(Delta(refusal=said.refusal))
        if said.tool_calls:
            calls = [self._call(place, call) for place, call in enumerate(said.tool_calls)]
            deltas.append(Delta(tool_calls=calls))
        return deltas

    def _call(self, place: int, call: Call) -> CallDelta:
        """A piece of a call that the engine made out by itself."""
        index = place if call.index is None else call.index
        function = call.function
        name = function.name if function is not None else None
        arguments = (function.arguments if function is not None else None) or ""
        if index in self._calls:
            return CallDelta(index=index, function=FunctionDelta(arguments=arguments))
        self._calls.add(index)
        return _begun(index, call.id, name or "", arguments)


class Message:
    """Deltas put together."""

    def __init__(self) -> None:
        self.content = ""
        self.refusal = ""
        self.reasoning = ""
        self.calls: dict[int, dict[str, Any]] = {}

    def add(self, delta: Delta) -> None:
        """Take in one delta."""
        self.content += delta.content or ""
        self.refusal += delta.refusal or ""
        self.reasoning += delta.reasoning_content or ""
        for piece in delta.tool_calls or ():
            self._add_call(piece)

    def _add_call(self, piece: CallDelta) -> None:
        function = piece.function
        assert isinstance(function, FunctionDelta)
        if piece.id is not UNSET:
            named = {"name": function.name, "arguments": ""}
            self.calls[piece.index] = {"id": piece.id, "type": "function", "function": named}
        self.calls[piece.index]["function"]["arguments"] += function.arguments or ""

    def as_dict(self) -> dict[str, Any]:
        """The message of a whole reply; beside calls or a refusal, no content is null."""
        instead = self.calls or self.refusal
        message: dict[str, Any] = {
            "role": "assistant",
            "content": None if instead and not self.content else self.content,
            "refusal": self.refusal or None,
            "annotations": [],
        }
        if self.reasoning:
            message["reasoning_content"] = self.reasoning
        if self.calls:
            message["tool_calls"] = [call for _, call in sorted(self.calls.items())]
        return message
