"""The server side of HTTP/1.1: client connections, their requests in order, and the responses.

A connection works on one exchange at a time. Pipelined requests wait in `_pending` until the
responses before them are sent, and reading is paused until then.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, cast

import httptools
import structlog

from oxlo.errors import ApiError, InternalError, Overloaded, RequestTimedOut
from oxlo.gateway.exchange import SILENT, Exchange, State
from oxlo.gateway.reading import NEVER, Reader
from oxlo.gateway.server import Server

log = structlog.get_logger()

#: After an early error this much of an unread body is discarded, so that the client can read the
#: response.
LINGER_BYTES: Final = 1 << 20
LINGER_SECONDS: Final = 5.0
#: Minimum upload rate after the first `body_timeout` seconds.
BODY_BYTES_PER_SECOND: Final = 16 * 1024


class Connection(Reader):
    """A client connection: an `asyncio.Protocol` by duck typing, so that mypyc can compile it."""

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        #: The current request, and the pipelined ones behind it.
        self._current: Exchange | None = None
        self._pending: deque[Exchange] = deque()
        self._body_since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Set up a new connection."""
        self._transport = cast(asyncio.Transport, transport)
        address = transport.get_extra_info("peername")
        self.peer = address[0] if isinstance(address, tuple) and address else ""
        self.deadline = self.server.now() + self.server.limits.head_timeout
        if not self.server.has_room(self):
            self._refuse(Overloaded("Too many connections are open right now.", retry_after=5))

    def connection_lost(self, exc: Exception | None) -> None:
        """Clean up after either side closed the connection."""
        self.server.left(self)
        waiting = [self._current, *self._pending, self._incoming, self._resumed]
        self._pending.clear()
        self._current = self._incoming = self._resumed = None
        for exchange in waiting:
            if exchange is not None and exchange.state is not State.DONE:
                exchange.state = State.DONE
                exchange.body.release()
                exchange.handler.gone()
                exchange.handler = SILENT  # as in `Exchange.finish`
        # Breaks a reference cycle (the parser holds our methods) that only the garbage collector
        # would free.
        self._parser = cast(httptools.HttpRequestParser, None)

    def eof_received(self) -> bool:
        """Treat a half-closed connection as a disconnect, like nginx, Node and uvicorn.

        It is indistinguishable from a client that has gone, and the engine's work would be wasted.
        """
        return False

    def _begin(self, exchange: Exchange) -> None:
        if self._current is not None or self._pending or self._paused_writing:
            self._pending.append(exchange)
            self.pause()
        else:
            self._open(exchange)

    def _complete(self, exchange: Exchange) -> None:
        if exchange.state is State.READY and exchange is self._current:
            self._hand_over(exchange)
        elif exchange.state is State.DONE:
            self._settle_down(exchange)

    def _too_much(self, exchange: Exchange, error: ApiError) -> None:
        if exchange is self._current:
            exchange.close = True
            exchange.fail(error)
        else:  # an earlier request is still being answered
            self._refuse(error)

    def _open(self, exchange: Exchange) -> None:
        self._current = exchange
        if not exchange.complete:
            self._body_since = self.server.now()
            self._set_deadline(self._body_since + self.server.limits.body_timeout)
        if exchange.flaw is not None:
            exchange.close = True
            self.server.name_exchange(exchange)
            exchange.fail(exchange.flaw)
            return
        try:
            exchange.handler = self.server.application.open(exchange)
        except ApiError as error:
            exchange.fail(error)
            return
        if exchange.state is State.OPEN:
            exchange.proceed()

    def proceed(self, exchange: Exchange) -> None:
        """Continue with an exchange whose handler is known."""
        if self._paused_reading and not self._pending:
            self.resume()  # also while working, to notice a disconnect
        if exchange.complete:
            self._hand_over(exchange)
        elif b"expect" in exchange.headers and _awaits_word(exchange):
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _hand_over(self, exchange: Exchange) -> None:
        exchange.state = State.WORKING
        try:
            exchange.handler.body(exchange.body)
        except ApiError as error:
            exchange.fail(error)

    def finished(self, exchange: Exchange) -> None:
        """Handle a complete response: go on with the next request, or close."""
        if exchange is not self._current:
            return
        if not exchange.complete:
            self._drop_rest(exchange)
            return
        self._settle_down(exchange)

    def _settle_down(self, exchange: Exchange) -> None:
        self._current, server = None, self.server
        if exchange.close or server.parting:
            self._set_deadline(server.now() + server.limits.write_timeout)
            self._transport.close()
            return
        if self._pending:
            self._go_on()
            return
        self._set_deadline(server.now() + server.limits.idle_timeout)
        if self._paused_reading:
            self.resume()

    def _go_on(self) -> None:
        """Open the next pipelined request, in a new turn as there may be thousands."""
        if not self._paused_writing:
            asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        waits = self._current is None and bool(self._pending)
        if waits and not self._paused_writing and not self._transport.is_closing():
            self.act(lambda: self._open(self._pending.popleft()))

    def act(self, step: Callable[[], None]) -> None:
        """Run a step of the current exchange outside the parser's callbacks."""
        try:
            step()
        except Exception as error:  # noqa: BLE001 - it is logged there; no parser catches it
            self._crashed(error)

    def _drop_rest(self, exchange: Exchange) -> None:
        """Discard some of an unfinished body after the response was sent, then close."""
        self._set_deadline(self.server.now() + LINGER_SECONDS)
        self._head_bytes = 0
        if exchange.close or exchange.length > LINGER_BYTES:
            self._closing = True
            if self._transport.can_write_eof():
                self._transport.write_eof()
        self.resume()

    def _discard(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > LINGER_BYTES:
            self._transport.close()

    def _crashed(self, error: BaseException | None) -> None:
        log.error("request.crashed", exc_info=error)
        exchange = self._current
        if exchange is not None and exchange.state is not State.DONE:
            exchange.handler.crashed()
        self._refuse(InternalError())

    def _refuse(self, error: ApiError, *, arriving: bool = False) -> None:
        """Send a parse error, after any response still in progress.

        If more of the request may be `arriving`, some of it is discarded before the connection is
        closed: closing on unread data would take the response away from the client.
        """
        if self._transport.is_closing():
            return
        exchange = self._current
        if exchange is None and self._pending:
            exchange = self._pending[0]
        if exchange is not None and (exchange.complete or exchange.state is State.WORKING):
            exchange.close = True  # nothing after it can be parsed; its own response is still sent
            self._closing = True
            self._set_deadline(NEVER)
            if isinstance(error, InternalError):
                exchange.fail(error)
            return
        exchange = exchange or Exchange(self, b"GET", b"", {})
        if exchange.state is State.DONE:
            self._transport.close()
            return
        exchange.complete, exchange.close = not arriving, True
        self._current = exchange
        self.server.name_exchange(exchange)
        exchange.fail(error)

    def write(self, data: bytes) -> None:
        """Write bytes to the transport."""
        self._transport.write(data)

    def abort(self) -> None:
        """Close the connection immediately."""
        self._transport.abort()

    def pause(self) -> None:
        """Pause reading from the client."""
        self._paused_reading = True
        self._transport.pause_reading()

    def resume(self) -> None:
        """Resume reading."""
        self._paused_reading = False
        self._transport.resume_reading()

    def pause_writing(self) -> None:
        """Handle a full transport buffer."""
        self.deadline = self.server.now() + self.server.limits.write_timeout
        self._paused_writing = True
        if self._current is not None:
            self._current.handler.paused()

    def resume_writing(self) -> None:
        """Handle a drained transport buffer."""
        self._paused_writing = False
        exchange, now = self._current, self.server.now()
        if exchange is None:
            self.deadline = now + self.server.limits.idle_timeout
            if self._pending:
                self._go_on()
        elif exchange.state is State.DONE:
            self.deadline = now + LINGER_SECONDS
        else:
            self.deadline = NEVER if exchange.complete else now
            exchange.handler.resumed()

    def expire(self, now: float) -> None:
        """Handle a timeout: the expected data did not arrive by the deadline."""
        if self._paused_writing or self._closing or self._transport.is_closing():
            self._transport.abort()
        elif self._incoming is not None and self._incoming is self._current:
            self._expire_body(self._incoming, now)
        elif self._current is None:
            self._expire_head()
        else:
            self.deadline = NEVER

    def _expire_body(self, exchange: Exchange, now: float) -> None:
        allowed = self.server.limits.body_timeout + exchange.body.size / BODY_BYTES_PER_SECOND
        if exchange.state is State.HELD or now < self._body_since + allowed:
            self.deadline = max(now + 0.5, self._body_since + allowed)
            return
        if exchange.state is State.DONE:
            self._transport.close()
            return
        exchange.close = True
        exchange.fail(RequestTimedOut("The request's body did not arrive in time."))

    def _expire_head(self) -> None:
        """Close an idle connection; answer an unfinished head with an error."""
        if self._head_bytes == 0:
            self._transport.close()
            return
        self._refuse(RequestTimedOut("The request's headers did not arrive in time."))

    @property
    def idle(self) -> bool:
        """Whether no request is in progress."""
        return self._current is None and self._incoming is None and not self._pending

    def close_when_idle(self) -> None:
        """Close now if no request is in progress, otherwise after the current response."""
        if self.idle:
            self._transport.close()
        elif self._current is not None:
            self._current.close = True


def protocols(server: Server) -> Callable[[], asyncio.Protocol]:
    """A factory of protocols for new connections."""
    return lambda: cast(asyncio.Protocol, Connection(server))


def _awaits_word(exchange: Exchange) -> bool:
    return exchange.headers[b"expect"].lower() == b"100-continue"
