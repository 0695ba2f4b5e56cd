"""Server-sent events, parsed incrementally."""

from typing import Final

import msgspec

from oxlo.errors import EngineFailed

DONE: Final = b"[DONE]"
END: Final = b"\n\n"
#: A byte order mark, which a stream may begin with.
_MARK: Final = b"\xef\xbb\xbf"
#: Limit on one event, bytes: an engine that exceeds it is broken.
MOST_BYTES: Final = 4 << 20
#: A larger incomplete event is an image: its reads are collected and joined once.
_LARGE: Final = 64 << 10


class Cutter:
    """Splits a stream into events; an incomplete event waits for more data."""

    __slots__ = ("_more", "_most", "_size", "held")

    def __init__(self, most: int = MOST_BYTES) -> None:
        """`most` is the limit on one event, in bytes."""
        #: The incomplete event.
        self.held = b""
        #: Further reads of a large event, none of which ends a line.
        self._more: list[bytes] = []
        self._size = 0
        self._most = most

    def cut(self, data: bytes) -> list[bytes]:
        """The events completed by `data`, without the empty line that ends each.

        Raises EngineFailed if an event exceeds the limit.
        """
        if len(self.held) > _LARGE and b"\n" not in data:
            return self._gather(data)
        if self._more:
            data = b"".join((*self._more, data))
            self._more.clear()
            self._size = 0
        if self.held or not data.endswith(END):
            # Normalise line ends. JSON has no raw carriage returns, so no text changes.
            data = self.held + data.replace(b"\r", b"")
        events = data.split(END)
        self.held = events.pop()
        self._check()
        return events

    def _gather(self, data: bytes) -> list[bytes]:
        """Collect a read that completes no event."""
        self._more.append(data)
        self._size += len(data)
        self._check()
        return []

    def _check(self) -> None:
        if len(self.held) + self._size > self._most:
            raise EngineFailed


def payload_of(event: bytes) -> bytes:
    """An event's data; empty if it has none, like a comment."""
    if event.startswith(b"data: {") and b"\n" not in event:
        return event[6:]
    lines = event.removeprefix(_MARK).split(b"\n")
    return b"\n".join(line[5:].strip() for line in lines if line.startswith(b"data:"))


def payloads(events: list[bytes]) -> list[bytes]:
    """The data of all events that have any."""
    return [data for data in map(payload_of, events) if data]


def parts(body: bytes) -> list[bytes]:
    """The chunks of a body that may be a stream. Raises EngineFailed if it is incomplete."""
    if not body.startswith(b"data:"):
        return [body]
    chunks = payloads(Cutter().cut(body))
    if not chunks or chunks[-1] != DONE:
        raise EngineFailed
    return chunks[:-1]


def event(payload: bytes) -> bytes:
    """Format one event."""
    return b"data: %b\n\n" % payload


_encoder: Final = msgspec.json.Encoder()


def encoded(value: object) -> bytes:
    """Format one event with JSON data."""
    return event(_encoder.encode(value))
