"""How the text of an answer is read: as plain words, or as tool calls that stand in it."""

import secrets
from typing import Protocol

from oxlo.engines.dialects.shapes.deltas import CallDelta, Delta, FunctionDelta
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
        return begun(event.index, None, event.name, "")
    return CallDelta(index=event.index, function=FunctionDelta(arguments=event.text))


def begun(index: int, id_: str | None, name: str, arguments: str) -> CallDelta:
    """The first piece of a call; one that has no id yet gets one."""
    return CallDelta(
        index=index,
        id=id_ or f"call_{secrets.token_hex(12)}",
        type="function",
        function=FunctionDelta(name, arguments),
    )
