"""Server-sent events, read by read."""

import msgspec

from oxlo.errors import EngineFailed

DONE = b"[DONE]"
END = b"\n\n"
#: Bytes of one event, at most: an engine that never ends one has lost its way.
MOST_BYTES = 4 << 20


class Cutter:
    """Cuts a stream into events, whatever its reads: what is not whole waits for its rest."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = b""

    def cut(self, data: bytes) -> list[bytes]:
        """The payloads of all events that are complete now, possibly none.

        Raises EngineFailed when an event does not end.
        """
        if not self._held and data.endswith(END):
            if data.startswith(_OBJECT) and data.find(b"\n") == len(data) - len(END):
                return [data[6:-2]]  # one event, as most reads are
            return payloads(data)
        # Line ends become \n: JSON has no raw carriage return, so nothing said is touched.
        data = self._held + data.replace(b"\r", b"")
        whole, end, self._held = data.rpartition(END)
        if len(self._held) > MOST_BYTES:
            raise EngineFailed
        return payloads(whole) if end else []


def payloads(events: bytes) -> list[bytes]:
    """The data of each event; comments and other fields are left out."""
    return [data for data in map(_data, events.split(END)) if data]


#: How nearly every event begins.
_OBJECT = b"data: {"


def _data(event: bytes) -> bytes:
    if event.startswith(_OBJECT) and b"\n" not in event:
        return event[6:]
    lines = [line[5:].strip() for line in event.split(b"\n") if line.startswith(b"data:")]
    return b"\n".join(lines)


def parts(body: bytes) -> list[bytes]:
    """The replies in a whole body: itself, or those of a stream. Raises EngineFailed when cut."""
    if not body.startswith(b"data:"):
        return [body]
    told = payloads(body.replace(b"\r", b""))
    if told[-1] != DONE:
        raise EngineFailed
    return told[:-1]


def event(payload: bytes) -> bytes:
    """One event."""
    return b"data: %b\n\n" % payload


_encoder = msgspec.json.Encoder()


def encoded(value: object) -> bytes:
    """One event with JSON data."""
    return event(_encoder.encode(value))
