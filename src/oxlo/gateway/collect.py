"""A receiver for those who want a whole reply."""

from typing import Any


class Collect:
    """A receiver that gathers a whole reply and hands it to one function.

    `done(status, body)`; status 0 and the reason as body when the exchange broke.
    """

    __slots__ = ("_chunks", "_done", "_status")

    def __init__(self, done: Any) -> None:
        self._done = done
        self._status = 0
        self._chunks: list[bytes] = []

    def on_head(self, status: int, headers: dict[bytes, bytes]) -> None:
        """Keep the status."""
        self._status = status

    def on_data(self, data: bytes) -> None:
        """Keep a piece."""
        self._chunks.append(data)

    def on_end(self) -> None:
        """Hand it over."""
        self._done(self._status, b"".join(self._chunks))

    def on_fail(self, reason: str, *, sent: bool) -> None:
        """Hand over the reason."""
        self._done(0, reason.encode())
