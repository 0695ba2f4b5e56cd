"""A connection to a server, opened and used before a call needs it.

The first exchange on a connection costs both sides more than those after it, and a connection that
lay idle may have been closed by its server. So each server is asked something small when there is
no idle connection to it; what it answers does not matter, and health is judged elsewhere.
"""

from typing import Final

from oxlo.gateway.sending import Sending
from oxlo.gateway.upstream import Upstream

#: Seconds between two greetings: some servers keep no idle connection, or answer nothing.
AGAIN: Final = 10.0


class Greeting:
    """Keeps one server greeted; the receiver of its answers."""

    def __init__(self, upstream: Upstream, path: str) -> None:
        """`path` is something that the server answers at no cost."""
        self._upstream = upstream
        self._path = path.encode()
        self._sending: Sending | None = None
        self._next = 0.0

    def tick(self, clock: float) -> None:
        """Greet, if no connection waits for a call; `clock` in seconds."""
        if self._upstream.idle or clock < self._next:
            return
        self._next = clock + AGAIN
        self.close()
        self._sending = self._upstream.request(b"GET", self._path, b"", b"", self)

    def close(self) -> None:
        """Wait for no answer any more."""
        sending, self._sending = self._sending, None
        if sending is not None:
            sending.cancel()

    def on_head(self, status: int, headers: dict[bytes, bytes]) -> None:
        """It is there."""

    def on_data(self, data: bytes) -> None:
        """Nobody reads it."""

    def on_end(self) -> None:
        """The connection is in the pool now."""
        self._sending = None

    def on_fail(self, reason: str, *, sent: bool) -> None:
        """The fleet will notice."""
        self._sending = None
