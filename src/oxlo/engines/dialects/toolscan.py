"""Reads tool calls out of JSON text as it arrives, whatever its cuts.

The text is `{"name": "f", "arguments": {...}}`, or a list of such objects: what the platform
constrains a model to write. Arguments are passed on as they come; nothing waits for the end.
"""

import re
from dataclasses import dataclass

import msgspec

_OPENING = re.compile(r'[\s\[,]*\{\s*"name"\s*:\s*("(?:[^"\\]|\\.)*")\s*,\s*"arguments"\s*:\s*')
_AFTER_SCALAR = re.compile(r"[\s,}\]]")
_SPECIAL = re.compile(r'["\\{}\[\]]')


@dataclass(frozen=True, slots=True)
class Begin:
    """A call begins."""

    index: int
    name: str


@dataclass(frozen=True, slots=True)
class Arguments:
    """A piece of a call's arguments."""

    index: int
    text: str


Event = Begin | Arguments


class Scanner:
    """Turns pieces of text into the beginnings and arguments of calls."""

    __slots__ = (
        "_buffer",
        "_depth",
        "_escaped",
        "_fresh",
        "_in_arguments",
        "_quoted",
        "_scalar",
        "calls",
    )

    def __init__(self) -> None:
        #: Calls seen so far.
        self.calls = 0
        self._buffer = ""
        self._in_arguments = False
        #: Nothing of the arguments was seen yet.
        self._fresh = True
        self._scalar = False
        self._depth = 0
        self._quoted = False
        self._escaped = False

    @property
    def complete(self) -> bool:
        """Whether at least one call was seen and none is open."""
        return self.calls > 0 and not self._in_arguments

    def feed(self, text: str) -> list[Event]:
        """Take in a piece of text."""
        self._buffer += text
        events: list[Event] = []
        while self._step(events):
            pass
        return events

    def _step(self, events: list[Event]) -> bool:
        if self._in_arguments:
            return self._argue(events)
        opening = _OPENING.match(self._buffer.lstrip("} \n\t\r"))
        if opening is None:
            return False
        events.append(Begin(self.calls, msgspec.json.decode(opening[1], type=str)))
        self._buffer = self._buffer.lstrip("} \n\t\r")[opening.end() :]
        self.calls += 1
        self._in_arguments = self._fresh = True
        self._scalar = False
        self._depth = 0
        return True

    def _argue(self, events: list[Event]) -> bool:
        """Pass on what belongs to the arguments; True when they have ended."""
        if self._fresh:
            self._buffer = self._buffer.lstrip()
        end = self._end_of_scalar() if self._is_scalar() else self._end()
        taken, self._buffer = self._buffer[:end], self._buffer[end:]
        if taken:
            self._fresh = False
            events.append(Arguments(self.calls - 1, taken))
        return not self._in_arguments

    def _is_scalar(self) -> bool:
        """Whether the arguments are a number or a word, which only what follows them ends."""
        if self._fresh and self._buffer:
            self._scalar = self._buffer[0] not in '{["'
        return self._scalar

    def _end_of_scalar(self) -> int:
        found = _AFTER_SCALAR.search(self._buffer)
        self._in_arguments = found is None
        return found.start() if found else len(self._buffer)

    def _end(self) -> int:
        """Where the arguments end in the buffer; its length when they go on."""
        at = 0
        while at < len(self._buffer):
            if self._escaped:
                self._escaped = False
                at += 1
                continue
            found = _SPECIAL.search(self._buffer, at)
            if found is None:
                break
            at = found.end()
            self._turn(found[0])
            if self._depth == 0 and not self._quoted:
                self._in_arguments = False
                return at
        return len(self._buffer)

    def _turn(self, character: str) -> None:
        if self._quoted:
            self._quoted = character != '"'
            self._escaped = character == "\\"
        elif character == '"':
            self._quoted = True
        elif character in "{[":
            self._depth += 1
        elif character in "}]":
            self._depth -= 1
