"""Parsing the text of an answer: plain text, or tool calls written as JSON."""

import secrets
from typing import Protocol

from oxlo.engines.dialects.shapes.deltas import CallDelta, Delta, FunctionDelta
from oxlo.engines.dialects.tools import Plan
from oxlo.engines.dialects.toolscan import Begin, Event, Scanner


class TextParser(Protocol):
    """An incremental parser for the text of one choice."""

    @property
    def is_plain(self) -> bool:
        """Whether text is passed through from here to the end."""
        ...

    def feed(self, text: str) -> list[Delta]:
        """Parse a piece of text."""
        ...

    def end(self, finish: str) -> tuple[list[Delta], str]:
        """The deltas held back, and the finish reason."""
        ...


class PlainText:
    """Text without tool calls."""

    is_plain = True

    def feed(self, text: str) -> list[Delta]:
        """Pass the text through."""
        return [Delta(content=text)]

    def end(self, finish: str) -> tuple[list[Delta], str]:
        """Nothing is held back."""
        return [], finish


class ForcedCalls:
    """An answer that is constrained to tool calls."""

    is_plain = False

    def __init__(self, finish: str) -> None:
        self._scanner = Scanner()
        self._finish = finish

    def feed(self, text: str) -> list[Delta]:
        """Parse pieces of tool calls."""
        return [Delta(tool_calls=[_piece(event)]) for event in self._scanner.feed(text)]

    def end(self, finish: str) -> tuple[list[Delta], str]:
        """`length` if the last call is incomplete."""
        return [], self._finish if finish == "stop" and self._scanner.complete else "length"


class OptionalCalls:
    """An answer that may be text or tool calls; held back only while it may be a call."""

    is_plain = False

    def __init__(self, tools: Plan) -> None:
        self._names = tools.names
        self._held: str | None = ""

    def feed(self, text: str) -> list[Delta]:
        """Pass text through; hold back what begins like a tool call."""
        if self._held is None:
            return [Delta(content=text)]
        self._held += text
        start = self._held.lstrip()
        if any(start.startswith(opening) or opening.startswith(start) for opening in _OPENINGS):
            return []
        text, self._held = self._held, None
        return [Delta(content=text)]

    def end(self, finish: str) -> tuple[list[Delta], str]:
        """The calls, if complete and of known tools; otherwise the text."""
        held, self._held = self._held or "", None
        events = _calls(held, self._names)
        if events:
            return [Delta(tool_calls=[_piece(event)]) for event in events], "tool_calls"
        return ([Delta(content=held)] if held else []), finish


_OPENINGS = ("{", "[{", "<tool_call>", "```json")


def _calls(text: str, names: frozenset[str]) -> list[Event]:
    """The tool calls, if the text is nothing but complete calls of known tools; otherwise none."""
    for mark in ("<tool_call>", "</tool_call>", "```json", "```"):
        text = text.replace(mark, "")
    scanner = Scanner()
    events = scanner.feed(text.strip())
    known = all(event.name in names for event in events if isinstance(event, Begin))
    return events if scanner.complete and known else []


def _piece(event: Event) -> CallDelta:
    if isinstance(event, Begin):
        return first_piece(event.index, None, event.name, "")
    return CallDelta(index=event.index, function=FunctionDelta(arguments=event.text))


def first_piece(index: int, id_: str | None, name: str, arguments: str) -> CallDelta:
    """The first piece of a tool call, with a new id if it has none."""
    return CallDelta(
        index=index,
        id=id_ or f"call_{secrets.token_hex(12)}",
        type="function",
        function=FunctionDelta(name, arguments),
    )
