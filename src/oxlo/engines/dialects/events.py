"""Server-sent events, read by read."""

from typing import Final

import msgspec

from oxlo.errors import EngineFailed

DONE: Final = b"[DONE]"
END: Final = b"\n\n"
#: Bytes of one event, at most: an engine that never ends one has lost its way.
MOST_BYTES: Final = 4 << 20
#: An event of which more is held is an image: its reads are gathered, and joined once.
_LARGE: Final = 64 << 10


class Cutter:
    """Cuts a stream into events, whatever its reads: what is not whole waits for its rest."""

    __slots__ = ("_more", "_most", "_size", "held")

    def __init__(self, most: int = MOST_BYTES) -> None:
        """`most` bytes are in one event."""
        #: The beginning of an event that waits for its rest.
        self.held = b""
        #: What came after it and ends no line, where that is much.
        self._more: list[bytes] = []
        self._size = 0
        self._most = most

    def cut(self, data: bytes) -> list[bytes]:
        """The events that are complete now, without the empty line that ends each.

        Raises EngineFailed when an event does not end.
        """
        if len(self.held) > _LARGE and b"\n" not in data:
            return self._gather(data)
        if self._more:
            data = b"".join((*self._more, data))
            self._more.clear()
            self._size = 0
        if self.held or not data.endswith(END):
            # Line ends become \n: JSON has no raw carriage return, so nothing said is touched.
            data = self.held + data.replace(b"\r", b"")
        events = data.split(END)
        self.held = events.pop()
        self._check()
        return events

    def _gather(self, data: bytes) -> list[bytes]:
        """Keep a read that completes nothing."""
        self._more.append(data)
        self._size += len(data)
        self._check()
        return []

    def _check(self) -> None:
        if len(self.held) + self._size > self._most:
            raise EngineFailed


def payload_of(event: bytes) -> bytes:
    """An event's data; empty where it has none, as a comment."""
    if event.startswith(b"data: {") and b"\n" not in event:
        return event[6:]
    lines = [line[5:].strip() for line in event.split(b"\n") if line.startswith(b"data:")]
    return b"\n".join(lines)


def payloads(events: list[bytes]) -> list[bytes]:
    """The data of the events that have some."""
    return [data for data in map(payload_of, events) if data]


def parts(body: bytes) -> list[bytes]:
    """The replies in a whole body: itself, or those of a stream. Raises EngineFailed when cut."""
    if not body.startswith(b"data:"):
        return [body]
    told = payloads(Cutter().cut(body))
    if not told or told[-1] != DONE:
        raise EngineFailed
    return told[:-1]


def event(payload: bytes) -> bytes:
    """One event."""
    return b"data: %b\n\n" % payload


_encoder: Final = msgspec.json.Encoder()


def encoded(value: object) -> bytes:
    """One event with JSON data."""
    return event(_encoder.encode(value))
