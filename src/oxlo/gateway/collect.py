"""A receiver for those who want a whole reply."""

import math
from typing import Any


class Collect:
    """A receiver that gathers a whole reply and hands it to one function.

    `done(status, body)`; status 0 and the reason as body when the exchange broke, or when there is
    more than `most` bytes of it: whoever asked is then to cancel the exchange.
    """

    __slots__ = ("_chunks", "_done", "_left", "_status")

    def __init__(self, done: Any, most: float = math.inf) -> None:
        self._done = done
        self._status = 0
        self._left = most
        self._chunks: list[bytes] = []

    def on_head(self, status: int, headers: dict[bytes, bytes]) -> None:
        """Keep the status."""
        self._status = status

    def on_data(self, data: bytes) -> None:
        """Keep a piece."""
        before = self._left
        self._left -= len(data)
        if self._left >= 0:
            self._chunks.append(data)
        elif before >= 0:
            self._chunks.clear()
            self._done(0, b"the reply is too large")

    def on_end(self) -> None:
        """Hand it over."""
        if self._left >= 0:
            self._done(self._status, b"".join(self._chunks))

    def on_fail(self, reason: str, *, sent: bool) -> None:
        """Hand over the reason."""
        if self._left >= 0:
            self._done(0, reason.encode())
