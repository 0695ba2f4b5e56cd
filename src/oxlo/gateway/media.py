"""A gateway's client of the media process."""

import asyncio
from collections.abc import Callable

from oxlo.gateway.greeting import Greeting
from oxlo.gateway.spool import Spool
from oxlo.gateway.timed import TimedRequest
from oxlo.gateway.upstream import Upstream
from oxlo.settings import Settings


class Media:
    """The media process's address, timeout and spool folder."""

    def __init__(self, settings: Settings, spool: Spool, loop: asyncio.AbstractEventLoop) -> None:
        self.upstream = Upstream(f"unix:{settings.media_socket}", loop)
        self.greeting = Greeting(self.upstream, "/metrics")
        self.timeout = settings.media_timeout
        self.spool = spool

    def post(
        self, target: bytes, lines: bytes, body: bytes, then: Callable[[int, bytes], None]
    ) -> TimedRequest:
        """Send a request; `then` gets status and body, 0 if unreachable or timed out."""
        return TimedRequest(self.upstream, self.timeout, then).send(b"POST", target, lines, body)


def line(name: str, value: str) -> bytes:
    """A header line."""
    return f"{name}: {value}\r\n".encode()
