"""A gateway's client of the media process."""

import asyncio
from collections.abc import Callable

from oxlo.gateway.collect import Collect
from oxlo.gateway.greeting import Greeting
from oxlo.gateway.sending import Sending
from oxlo.gateway.spool import Spool
from oxlo.gateway.upstream import Upstream
from oxlo.settings import Settings


class Media:
    """The media process's address, timeout and spool folder."""

    def __init__(self, settings: Settings, spool: Spool, loop: asyncio.AbstractEventLoop) -> None:
        self.upstream = Upstream(f"unix:{settings.media_socket}", loop)
        self.greeting = Greeting(self.upstream, "/metrics")
        self.timeout = settings.media_timeout
        self.spool = spool
        self.loop = loop


class MediaRequest:
    """A request to the media process. `then(status, body)`; status 0: unreachable or timed out."""

    def __init__(
        self,
        media: Media,
        target: bytes,
        lines: bytes,
        body: bytes,
        then: Callable[[int, bytes], None],
    ) -> None:
        self._then = then
        self._deadline = media.loop.call_later(media.timeout, self._late)
        self._sending: Sending | None = media.upstream.request(
            b"POST", target, lines, body, Collect(self._done)
        )

    def _done(self, status: int, body: bytes) -> None:
        self._deadline.cancel()
        self._sending = None
        self._then(status, body)

    def _late(self) -> None:
        self.cancel()
        self._then(0, b"")

    def cancel(self) -> None:
        """Cancel the request."""
        self._deadline.cancel()
        sending, self._sending = self._sending, None
        if sending is not None:
            sending.cancel()


def line(name: str, value: str) -> bytes:
    """A header line."""
    return f"{name}: {value}\r\n".encode()
