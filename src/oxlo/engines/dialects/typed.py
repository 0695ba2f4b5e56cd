"""Streams of events that say by their type what they are, as audio and images are sent."""

import msgspec

from oxlo.engines.dialect import Usage
from oxlo.engines.dialects.chunks import read
from oxlo.engines.dialects.events import event
from oxlo.engines.dialects.shapes.typed import TokenUsage, Typed
from oxlo.engines.dialects.stream import Stream

_typed = msgspec.json.Decoder(Typed)


class TypedEvents(Stream):
    """Passes events on; the last one is held until the receipt is written."""

    __slots__ = ("_held", "_last")

    def __init__(self, last: str) -> None:
        """`last` is the type of the event that ends the stream."""
        super().__init__()
        self.ending = b""
        self._last = last
        self._held = b""

    def _event(self, payload: bytes) -> bytes:
        told = read(_typed, payload)
        if told.type != self._last:
            self.started = True
            return event(payload)
        self.hold(event(payload), told.usage)
        return b""

    def hold(self, shown: bytes, usage: TokenUsage | None) -> None:
        """The last event is here, as the client will get it."""
        self.usage = counted(usage)
        self._held = shown
        self.finish = "stop"
        self.done = True

    def close(self) -> bytes:
        """The last event."""
        return self._held


def counted(told: TokenUsage | None) -> Usage:
    """As receipts hold it."""
    return Usage(told.input_tokens or 0, told.output_tokens or 0) if told is not None else Usage()
