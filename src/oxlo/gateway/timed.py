"""A request to another process of this machine, which may hang."""

from collections.abc import Callable

from oxlo.gateway.collect import Collect
from oxlo.gateway.upstream import Upstream
from oxlo.gateway.upstream_request import UpstreamRequest


class TimedRequest:
    """A request that is cancelled after a timeout.

    `then(status, body)` is called once; status 0: it failed or timed out.
    """

    def __init__(
        self, upstream: Upstream, seconds: float, then: Callable[[int, bytes], None]
    ) -> None:
        self._upstream = upstream
        self._then = then
        self._timer = upstream.loop.call_later(seconds, self._time_out)
        self._request: UpstreamRequest | None = None

    def send(
        self, method: bytes, target: bytes, lines: bytes = b"", body: bytes = b""
    ) -> "TimedRequest":
        """Send it; `lines` are complete header lines. Returns itself."""
        self._request = self._upstream.request(method, target, lines, body, Collect(self._done))
        return self

    def _done(self, status: int, body: bytes) -> None:
        self._timer.cancel()
        self._request = None
        self._then(status, body)

    def _time_out(self) -> None:
        self.cancel()
        self._then(0, b"")

    def cancel(self) -> None:
        """Cancel it without calling `then`."""
        self._timer.cancel()
        request, self._request = self._request, None
        if request is not None:
            request.cancel()
