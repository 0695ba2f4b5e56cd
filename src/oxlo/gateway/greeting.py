"""Keeps a warm connection to a server ready for the next call.

The first exchange on a connection costs both sides more than later ones, and the server may have
closed an idle connection. So whenever a server has no idle connection, a small request is sent to
it. The response is ignored; health checks are done elsewhere.
"""

from typing import Final

from oxlo.gateway.upstream import Upstream
from oxlo.gateway.upstream_request import UpstreamRequest

#: Seconds between requests: some servers keep no idle connections, or never respond.
AGAIN: Final = 10.0


class Greeting:
    """Keeps a connection to one server warm; receives and ignores its responses."""

    def __init__(self, upstream: Upstream, path: str) -> None:
        """`path` is an address that the server answers cheaply."""
        self._upstream = upstream
        self._path = path.encode()
        self._request: UpstreamRequest | None = None
        self._next = 0.0

    def tick(self, clock: float) -> None:
        """Send a request if no connection is idle; `clock` in seconds."""
        if self._upstream.idle or clock < self._next:
            return
        self._next = clock + AGAIN
        self.close()
        self._request = self._upstream.request(b"GET", self._path, b"", b"", self)

    def close(self) -> None:
        """Cancel a pending request."""
        request, self._request = self._request, None
        if request is not None:
            request.cancel()

    def on_head(self, status: int, headers: dict[bytes, bytes]) -> None:
        """Ignore the head."""

    def on_data(self, data: bytes) -> None:
        """Ignore the body."""

    def on_end(self) -> None:
        """Finish; the connection is in the pool now."""
        self._request = None

    def on_fail(self, reason: str, *, sent: bool) -> None:
        """Finish; the fleet's health checks will notice the failure."""
        self._request = None
