"""Streams of events with a `type`, as OpenAI sends audio and images."""

import msgspec

from oxlo.engines.dialect import Usage
from oxlo.engines.dialects.chunks import read
from oxlo.engines.dialects.events import event
from oxlo.engines.dialects.shapes.typed import TokenUsage, Typed
from oxlo.engines.dialects.stream import Stream

_typed = msgspec.json.Decoder(Typed)


class TypedEvents(Stream):
    """Forwards events; the last one is held until the receipt is written."""

    __slots__ = ("_held", "_last")

    def __init__(self, last: str) -> None:
        """`last` is the type of the event that ends the stream."""
        super().__init__()
        self.ending = b""
        self._last = last
        self._held = b""

    def _event(self, payload: bytes) -> bytes:
        decoded = read(_typed, payload)
        if decoded.type != self._last:
            self.started = True
            return event(payload)
        self.hold(event(payload), decoded.usage)
        return b""

    def hold(self, shown: bytes, usage: TokenUsage | None) -> None:
        """Hold the last event, already translated."""
        self.usage = parsed(usage)
        self._held = shown
        self.finish = "stop"
        self.done = True

    def close(self) -> bytes:
        """The last event."""
        return self._held


def parsed(raw: TokenUsage | None) -> Usage:
    """Usage as an engine reported it; missing counts are 0."""
    return Usage(raw.input_tokens or 0, raw.output_tokens or 0) if raw is not None else Usage()
