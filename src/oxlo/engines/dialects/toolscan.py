"""An incremental scanner for tool calls in JSON text.

The text is `{"name": "f", "arguments": {...}}` or a list of such objects, to which the platform
constrains the model. Arguments are streamed; nothing waits for the end of a call.
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
    """Turns pieces of text into events."""

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
        #: No character of the arguments was seen yet.
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
        """Scan a piece of text."""
        self._buffer += text
        events: list[Event] = []
        while self._step(events):
            pass
        return events

    def _step(self, events: list[Event]) -> bool:
        if self._in_arguments:
            return self._scan_arguments(events)
        text = self._buffer.lstrip("} \n\t\r")
        opening = _OPENING.match(text)
        name = _name(opening[1]) if opening is not None else None
        if opening is None or name is None:
            return False
        events.append(Begin(self.calls, name))
        self._buffer = text[opening.end() :]
        self.calls += 1
        self._in_arguments = self._fresh = True
        self._scalar = False
        self._depth = 0
        return True

    def _scan_arguments(self, events: list[Event]) -> bool:
        """Emit what belongs to the arguments; True if they have ended."""
        if self._fresh:
            self._buffer = self._buffer.lstrip()
        end = self._end_of_scalar() if self._is_scalar() else self._end()
        taken, self._buffer = self._buffer[:end], self._buffer[end:]
        if taken:
            self._fresh = False
            events.append(Arguments(self.calls - 1, taken))
        return not self._in_arguments

    def _is_scalar(self) -> bool:
        """Whether the arguments are a number or literal, which ends only at the next delimiter."""
        if self._fresh and self._buffer:
            self._scalar = self._buffer[0] not in '{["'
        return self._scalar

    def _end_of_scalar(self) -> int:
        found = _AFTER_SCALAR.search(self._buffer)
        self._in_arguments = found is None
        return found.start() if found else len(self._buffer)

    def _end(self) -> int:
        """Index at which the arguments end; the buffer's length if they continue."""
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
            self._track(found[0])
            if self._depth == 0 and not self._quoted:
                self._in_arguments = False
                return at
        return len(self._buffer)

    def _track(self, character: str) -> None:
        if self._quoted:
            self._quoted = character != '"'
            self._escaped = character == "\\"
        elif character == '"':
            self._quoted = True
        elif character in "{[":
            self._depth += 1
        elif character in "}]":
            self._depth -= 1


def _name(quoted: str) -> str | None:
    """A function's name; None if a model that is not constrained wrote no valid JSON string."""
    try:
        return msgspec.json.decode(quoted, type=str)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
