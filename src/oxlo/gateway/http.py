"""The client's side of HTTP/1.1: a connection, its requests in order, their replies.

A connection works on one exchange at a time. Pipelined requests wait in `_pending` until the
replies before them are made and read, and reading stops until they are done.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, cast

import httptools
import structlog

from oxlo.errors import (
    ApiError,
    BadRequest,
    HeadersTooLarge,
    InternalError,
    Overloaded,
    RequestTimedOut,
)
from oxlo.gateway.body import SPOOL_ABOVE
from oxlo.gateway.exchange import SILENT, Exchange, State, too_large
from oxlo.gateway.server import Served, Server

log = structlog.get_logger()

HEAD_LIMIT: Final = 64 * 1024
HEADER_COUNT_LIMIT: Final = 128
#: After a refusal, this much of an unread body is swallowed so that the client can read the reply.
LINGER_BYTES = 1 << 20
LINGER_SECONDS = 5.0
#: A body may arrive no slower than this, beyond the first `body_timeout` seconds.
BODY_BYTES_PER_SECOND = 16 * 1024
NEVER: Final = float("inf")


class Connection(Served):
    """One client's connection: an `asyncio.Protocol` in all but ancestry, so that it compiles."""

    def __init__(self, server: Server) -> None:
        super().__init__(server.budget)
        self.server = server
        self.deadline = NEVER
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport = cast(asyncio.Transport, None)
        self._current: Exchange | None = None
        self._incoming: Exchange | None = None
        self._pending: deque[Exchange] = deque()
        self._target = b""
        self._headers: dict[bytes, bytes] = {}
        #: Bytes of an unfinished head, of trailers or of what is swallowed, less those of the piece
        #: that is being parsed: `_fed`.
        self._head_bytes = self._fed = 0
        self._body_since = 0.0
        self._in_head = self._two_hosts = False
        #: What an upgrade that is ignored brought a body with: the parser is told how it is framed.
        self._resumed: Exchange | None = None
        self._paused_reading = self._paused_writing = False
        self._closing = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client connected."""
        self._transport = cast(asyncio.Transport, transport)
        address = transport.get_extra_info("peername")
        self.peer = address[0] if isinstance(address, tuple) and address else ""
        self.deadline = self.server.now() + self.server.limits.head_timeout
        if not self.server.has_room(self):
            self._refuse(Overloaded("Too many connections are open right now.", retry_after=5))

    def connection_lost(self, exc: Exception | None) -> None:
        """The client left, or we closed."""
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
        # It holds our methods: without this, only the collector could free the two.
        self._parser = cast(httptools.HttpRequestParser, None)

    def eof_received(self) -> bool:
        """The client sends no more: it has left, as for nginx, Node and uvicorn.

        Who only closes the sending side cannot be told from who has gone, and an engine would work
        for nobody.
        """
        return False

    def data_received(self, data: bytes) -> None:
        """Parse what came. Unforeseen errors of handlers end here, or in `act`."""
        if self._closing:
            self._linger(len(data))
            return
        self._fed = len(data)
        incoming = self._incoming
        size = 0 if incoming is None else incoming.body.size
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._no_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserCallbackError as error:
            self._crashed(error.__context__)
        except httptools.HttpParserError as error:
            self._refuse(_not_http(str(error)))
        if self._in_head:
            self._await_head(len(data))
        elif incoming is not None and incoming is self._incoming:
            self._await_body(incoming, len(data), incoming.body.size - size)

    def _await_body(self, exchange: Exchange, size: int, grown: int) -> None:
        """A body is not complete after `size` more bytes, of which `grown` were of the body."""
        if exchange.state is State.DONE:
            self._linger(size)
        elif grown:
            self._head_bytes = 0
            if exchange.body.size > SPOOL_ABOVE:
                self._rest()
        else:  # trailers
            self._head_bytes += size
            if self._head_bytes > HEAD_LIMIT:
                self._refuse(HeadersTooLarge())

    def _rest(self) -> None:
        """Let the others have their turn: libuv alone would read 8 MB of a large body in one go."""
        self._transport.pause_reading()
        asyncio.get_running_loop().call_soon(self._rested)

    def _rested(self) -> None:
        if not self._paused_reading and not self._transport.is_closing():
            self._transport.resume_reading()

    def _await_head(self, size: int) -> None:
        """A head has begun and is not complete after `size` more bytes."""
        if self._head_bytes == 0:
            self._due(self.server.now() + self.server.limits.head_timeout)
        self._head_bytes += size
        if self._head_bytes > HEAD_LIMIT:
            self._refuse(HeadersTooLarge())

    def _due(self, at: float) -> None:
        """Something has to come by then; while the client reads slowly, that comes first."""
        if not self._paused_writing:
            self.deadline = at

    def on_url(self, url: bytes) -> None:
        """A piece of the request's target (called by the parser, as are all `on_` methods)."""
        if not self._in_head:  # a new request: what came since the last head were trailers
            self._in_head, self._two_hosts = True, False
            self._headers, self._target = {}, b""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header. Repeated ones are joined, as HTTP defines."""
        key = name.lower()
        headers = self._headers
        if key in headers:
            value = headers[key] + (b"; " if key == b"cookie" else b", ") + value
            self._two_hosts = self._two_hosts or key == b"host"
        headers[key] = value

    def on_headers_complete(self) -> None:
        """The head is here."""
        self._in_head = False
        parser, headers = self._parser, self._headers
        self._headers = {}  # trailers are no headers of this request
        if self._closing:  # it came in one piece with a request that was refused
            return
        if self._resumed is not None:
            self._incoming, self._resumed = self._resumed, None
            return
        exchange = Exchange(self, parser.get_method(), self._target, headers)
        exchange.arrived = self.server.now()
        exchange.close = self.server.parting or not parser.should_keep_alive()
        if exchange.close or b"connection" in headers:  # else it is HTTP/1.1, which keeps alive
            exchange.http10 = parser.get_http_version() == "1.0"
        exchange.flaw = self._flaw(exchange)
        self._head_bytes = 0
        self._incoming = exchange
        if self._current is not None or self._pending or self._paused_writing:
            self._pending.append(exchange)
            self.pause()
        else:
            self._open(exchange)

    def _flaw(self, exchange: Exchange) -> ApiError | None:
        """What is wrong with a head that could be parsed."""
        headers = exchange.headers
        if len(headers) > HEADER_COUNT_LIMIT:
            return HeadersTooLarge()
        if self._head_bytes + self._fed > HEAD_LIMIT and _head_size(exchange) > HEAD_LIMIT:
            return HeadersTooLarge()
        if self._two_hosts or (b"host" not in headers and not exchange.http10):
            return _not_http("it needs one Host header")  # RFC 9112, section 3.2
        if headers.get(b"transfer-encoding", b"chunked").lower() != b"chunked":
            return _not_http("bodies come whole or chunked, in no other transfer coding")
        return None

    def on_body(self, data: bytes) -> None:
        """A piece of the body."""
        exchange = self._incoming
        if exchange is None or exchange.state is State.DONE:
            return  # nobody wants it any more
        try:
            if exchange.body.size + len(data) > exchange.body_limit:
                raise too_large(exchange.body_limit)
            exchange.body.add(data)
        except ApiError as error:
            if exchange is self._current:
                exchange.close = True
                exchange.fail(error)
            else:  # it is not its turn to be answered
                self._refuse(error)

    def on_message_complete(self) -> None:
        """The request is whole."""
        exchange = self._incoming
        if exchange is not None and self._upgrades(exchange):
            return  # llhttp stops at the head of an upgrade; its body is still to come
        self._incoming = None
        self._head_bytes = 0
        self._due(NEVER)
        if exchange is None:
            return
        exchange.complete = True
        if exchange.state is State.READY and exchange is self._current:
            self._hand_over(exchange)
        elif exchange.state is State.DONE:
            self._settle_down(exchange)

    def _upgrades(self, exchange: Exchange) -> bool:
        """Whether the parser takes a request for an upgrade, and so does not read its body."""
        if b"upgrade" not in exchange.headers:
            return False
        return exchange.framed and bool(self._parser.should_upgrade())

    def _open(self, exchange: Exchange) -> None:
        self._current = exchange
        if not exchange.complete:
            self._body_since = self.server.now()
            self._due(self._body_since + self.server.limits.body_timeout)
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
        """Go on with an exchange whose handler is decided."""
        if self._paused_reading and not self._pending:
            self.resume()  # also while working: that is how a leaver is noticed
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
        """A reply is complete; go on with the next request, or close."""
        if exchange is not self._current:
            return
        if not exchange.complete:
            self._drop_rest(exchange)
            return
        self._settle_down(exchange)

    def _settle_down(self, exchange: Exchange) -> None:
        self._current = None
        if exchange.close or self.server.parting:
            self._transport.close()
            return
        if self._pending:
            self._go_on()
            return
        server = self.server
        self._due(server.now() + server.limits.idle_timeout)
        if self._paused_reading:
            self.resume()

    def _go_on(self) -> None:
        """Open the next request that waits: in a turn of its own, for there may be thousands."""
        if not self._paused_writing:
            asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        waits = self._current is None and bool(self._pending)
        if waits and not self._paused_writing and not self._transport.is_closing():
            self.act(lambda: self._open(self._pending.popleft()))

    def act(self, step: Callable[[], None]) -> None:
        """Take a step of the current exchange in a turn that is not the parser's."""
        try:
            step()
        except Exception as error:  # noqa: BLE001 - it is logged there; no parser catches it
            self._crashed(error)

    def _drop_rest(self, exchange: Exchange) -> None:
        """The reply is out and the body is not all in: swallow a little of it, then close."""
        self._due(self.server.now() + LINGER_SECONDS)
        self._head_bytes = 0
        if exchange.close or exchange.length > LINGER_BYTES:
            self._closing = True
            if self._transport.can_write_eof():
                self._transport.write_eof()
        self.resume()

    def _linger(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > LINGER_BYTES:
            self._transport.close()

    def _crashed(self, error: BaseException | None) -> None:
        log.error("request.crashed", exc_info=error)
        exchange = self._current
        if exchange is not None and exchange.state is not State.DONE:
            exchange.handler.gone()  # what it holds is given back
        self._refuse(InternalError())

    def _refuse(self, error: ApiError) -> None:
        """Answer what cannot be parsed, unless an earlier reply is still under way."""
        if self._transport.is_closing():
            return
        exchange = self._current
        if exchange is None and self._pending:
            exchange = self._pending[0]
        if exchange is not None and (exchange.complete or exchange.state is State.WORKING):
            exchange.close = True  # what follows it cannot be read; its own reply still goes out
            self._closing = True
            self._due(NEVER)
            if isinstance(error, InternalError):
                exchange.fail(error)
            return
        exchange = exchange or Exchange(self, b"GET", b"", {})
        if exchange.state is State.DONE:
            self._transport.close()
            return
        exchange.complete = exchange.close = True
        self._current = exchange
        self.server.name_exchange(exchange)
        exchange.fail(error)

    def _no_upgrade(self, rest: bytes) -> None:
        """Go on in HTTP/1.1: an upgrade may be ignored (RFC 9110, section 7.8)."""
        self._parser = httptools.HttpRequestParser(self)
        self._resumed, self._incoming = self._incoming, None
        if self._resumed is not None:  # a head that says nothing but how the body is framed
            rest = b"POST / HTTP/1.1\r\n%b\r\n\r\n%b" % (self._resumed.framing, rest)
        if rest and not self._transport.is_closing():
            self.data_received(rest)

    def write(self, data: bytes) -> None:
        """Hand bytes to the transport."""
        self._transport.write(data)

    def abort(self) -> None:
        """Cut the connection at once."""
        self._transport.abort()

    def pause(self) -> None:
        """Stop reading from the client."""
        self._paused_reading = True
        self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        self._paused_reading = False
        self._transport.resume_reading()

    def pause_writing(self) -> None:
        """The transport's buffer is full."""
        self.deadline = self.server.now() + self.server.limits.write_timeout
        self._paused_writing = True
        if self._current is not None:
            self._current.handler.paused()

    def resume_writing(self) -> None:
        """The transport's buffer has drained."""
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
        """Called when the deadline has passed: whatever was awaited did not come."""
        if self._paused_writing or self._closing:
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
        """Between requests an idle connection is closed; in mid-head the client is told."""
        if self._head_bytes == 0:
            self._transport.close()
            return
        self._refuse(RequestTimedOut("The request's headers did not arrive in time."))

    @property
    def idle(self) -> bool:
        """Whether no request is under way."""
        return self._current is None and self._incoming is None and not self._pending

    def close_when_idle(self) -> None:
        """Close now if nothing is under way; else after the current reply."""
        if self.idle:
            self._transport.close()
        elif self._current is not None:
            self._current.close = True


def protocols(server: Server) -> Callable[[], asyncio.Protocol]:
    """Makes the protocol of each new connection."""
    return lambda: cast(asyncio.Protocol, Connection(server))


def _not_http(reason: str) -> BadRequest:
    return BadRequest(f"This is not valid HTTP/1.1: {reason}.", code="bad_http")


def _awaits_word(exchange: Exchange) -> bool:
    return exchange.headers[b"expect"].lower() == b"100-continue"


def _head_size(exchange: Exchange) -> int:
    return len(exchange.target) + sum(len(k) + len(v) for k, v in exchange.headers.items())
