"""A receiver that collects a whole response."""

import math
from typing import Any


class Collect:
    """Collects a whole response and passes it to a callback.

    `done(status, body)`; status 0 with the reason as body if the exchange failed or the response
    exceeds `most` bytes, in which case the caller should cancel the exchange.
    """

    __slots__ = ("_chunks", "_done", "_left", "_status")

    def __init__(self, done: Any, most: float = math.inf) -> None:
        self._done = done
        self._status = 0
        self._left = most
        self._chunks: list[bytes] = []

    def on_head(self, status: int, headers: dict[bytes, bytes]) -> None:
        """Store the status."""
        self._status = status

    def on_data(self, data: bytes) -> None:
        """Store a chunk."""
        before = self._left
        self._left -= len(data)
        if self._left >= 0:
            self._chunks.append(data)
        elif before >= 0:
            self._chunks.clear()
            self._done(0, b"the reply is too large")

    def on_end(self) -> None:
        """Deliver the response."""
        if self._left >= 0:
            self._done(self._status, b"".join(self._chunks))

    def on_fail(self, reason: str, *, sent: bool) -> None:
        """Deliver the reason of the failure."""
        if self._left >= 0:
            self._done(0, reason.encode())
