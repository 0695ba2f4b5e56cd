"""Server-sent events, read by read."""

import msgspec

DONE = b"[DONE]"
END = b"\n\n"


class Cutter:
    """Gives whole events, whatever the reads: what is cut off waits for its rest."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = b""

    def whole(self, data: bytes) -> bytes:
        """The bytes of all complete events, possibly none; line ends become `\\n`.

        JSON has no raw carriage return, so dropping those cannot touch what is said.
        """
        if b"\r" in data:
            data = data.replace(b"\r", b"")
        if self._held:
            data = self._held + data
            self._held = b""
        if data.endswith(END):
            return data
        cut = data.rfind(END) + 2 if END in data else 0
        self._held = data[cut:]
        return data[:cut]


def payloads(events: bytes) -> list[bytes]:
    """The data of each event; comments and other fields are left out."""
    return [data for data in map(_data, events.split(END)) if data]


def _data(event: bytes) -> bytes:
    if event.startswith(b"data:") and b"\n" not in event:
        return event[5:].strip()
    lines = [line[5:].strip() for line in event.split(b"\n") if line.startswith(b"data:")]
    return b"\n".join(lines)


def event(payload: bytes) -> bytes:
    """One event."""
    return b"data: %b\n\n" % payload


_encoder = msgspec.json.Encoder()


def encoded(value: object) -> bytes:
    """One event with JSON data."""
    return event(_encoder.encode(value))
