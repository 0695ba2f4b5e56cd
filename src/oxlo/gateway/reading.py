"""The reading half of a client connection: parses bytes into exchanges and their bodies."""

import asyncio
from typing import Final, cast

import httptools

from oxlo.errors import ApiError, BadRequest, HeadersTooLarge
from oxlo.gateway.body import SPOOL_ABOVE
from oxlo.gateway.exchange import Exchange, State, too_large
from oxlo.gateway.repeated_heads import RepeatedHead, split_head
from oxlo.gateway.server import Served, Server

HEAD_LIMIT: Final = 64 * 1024
HEADER_COUNT_LIMIT: Final = 128
NEVER: Final = float("inf")
#: Heads with one of these headers are always parsed, because they change how the request is
#: handled.
_SPECIAL: Final = (b"expect", b"transfer-encoding", b"upgrade")


class Head(RepeatedHead):
    """The head of a request, stored to recognise repetitions."""

    __slots__ = ("method", "target")

    def __init__(
        self, before: bytes, after: bytes, headers: dict[bytes, bytes], method: bytes, target: bytes
    ) -> None:
        super().__init__(before, after, headers)
        self.method = method
        self.target = target


class Reader(Served):
    """Parses a client's requests; `Connection` (`gateway/http.py`) implements the rest."""

    def __init__(self, server: Server) -> None:
        super().__init__(server.budget)
        self.server = server
        self.deadline = NEVER
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport = cast(asyncio.Transport, None)
        #: The request whose body is being received.
        self._incoming: Exchange | None = None
        self._target = b""
        self._headers: dict[bytes, bytes] = {}
        #: Bytes of an unfinished head, of trailers or of discarded data, without the chunk being
        #: parsed (`_fed`).
        self._head_bytes = self._fed = 0
        self._in_head = self._repeated_host = False
        #: An ignored upgrade request with a body, whose framing is passed to the new parser.
        self._resumed: Exchange | None = None
        self._paused_reading = self._paused_writing = False
        self._closing = False
        #: Whether a head may be the first of its read; and the request of one that was the only
        #: one.
        self._fresh = False
        self._sole: Exchange | None = None
        #: The last head, if the next request may repeat it.
        self._head: Head | None = None

    # Implemented by `Connection`.

    def _begin(self, exchange: Exchange) -> None:
        """Handle a complete head."""
        raise NotImplementedError

    def _complete(self, exchange: Exchange) -> None:
        """Handle a complete request."""
        raise NotImplementedError

    def _too_much(self, exchange: Exchange, error: ApiError) -> None:
        """Reject a body."""
        raise NotImplementedError

    def _refuse(self, error: ApiError, *, arriving: bool = False) -> None:
        """Reject data that cannot be parsed; more of it may be `arriving`."""
        raise NotImplementedError

    def _crashed(self, error: BaseException | None) -> None:
        """Handle an unexpected exception in a handler."""
        raise NotImplementedError

    def _discard(self, size: int) -> None:
        """Count discarded bytes."""
        raise NotImplementedError

    # Reading.

    def data_received(self, data: bytes) -> None:
        """Parse received data. Unexpected errors of handlers are caught here, or in `act`."""
        if self._closing:
            self._discard(len(data))
            return
        incoming = self._incoming
        size = 0 if incoming is None else incoming.body.size
        self._fresh = incoming is None and not self._in_head and self._head_bytes == 0
        if self._fresh and self._head is not None and self._repeats(self._head, data):
            return
        self._fed = len(data)
        self._feed(data)
        if self._in_head:
            self._await_head(len(data))
        elif incoming is not None and incoming is self._incoming:
            self._await_body(incoming, len(data), incoming.body.size - size)
        elif self._sole is not None:
            self._remember(self._sole, data)
        self._sole = None

    def _feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._no_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserCallbackError as error:
            self._crashed(error.__context__)
        except httptools.HttpParserError as error:
            self._refuse(not_http(str(error)), arriving=True)

    def _no_upgrade(self, rest: bytes) -> None:
        """Continue with HTTP/1.1, ignoring an upgrade as RFC 9110, section 7.8 allows."""
        self._parser = httptools.HttpRequestParser(self)
        self._resumed, self._incoming = self._incoming, None
        if self._resumed is not None:  # a head that only declares how the body is framed
            rest = b"POST / HTTP/1.1\r\n%b\r\n\r\n%b" % (self._resumed.framing, rest)
        if rest and not self._transport.is_closing():
            self.data_received(rest)
        self._sole = None

    def _repeats(self, head: Head, data: bytes) -> bool:
        """Process a request if it is complete and its head repeats the last one."""
        begin = head.body_of(data)
        if begin < 0:
            return False
        exchange = Exchange(self, head.method, head.target, head.headers(data, begin))
        exchange.close = self.server.parting
        self.act(lambda: self._take(exchange, data[begin:]))
        return True

    def _take(self, exchange: Exchange, body: bytes) -> None:
        """Process a complete request, with the same events as from the parser."""
        self._enter(exchange)
        if body:
            self.on_body(body)
        self.on_message_complete()

    def _remember(self, exchange: Exchange, data: bytes) -> None:
        """Store the head of a request received in one read, unless it needs special handling."""
        self._head = None
        headers = exchange.headers
        if not exchange.complete or exchange.close or exchange.http10 or exchange.flaw is not None:
            return
        for name in _SPECIAL:
            if name in headers:
                return
        around = split_head(data, exchange.length)
        if around is not None:
            before, after = around
            self._head = Head(before, after, headers, exchange.method, self._target)

    def _await_body(self, exchange: Exchange, size: int, grown: int) -> None:
        """Continue an unfinished body after `size` more bytes, `grown` of them in the body."""
        if exchange.state is State.DONE:
            self._discard(size)
        elif grown:
            self._head_bytes = 0
            if exchange.body.size > SPOOL_ABOVE:
                self._yield_turn()
        else:  # trailers
            self._head_bytes += size
            if self._head_bytes > HEAD_LIMIT:
                self._refuse(HeadersTooLarge(), arriving=True)

    def _yield_turn(self) -> None:
        """Let other connections run: libuv alone would read 8 MB of a large body at once."""
        self._transport.pause_reading()
        asyncio.get_running_loop().call_soon(self._read_again)

    def _read_again(self) -> None:
        if not self._paused_reading and not self._transport.is_closing():
            self._transport.resume_reading()

    def _await_head(self, size: int) -> None:
        """Continue an unfinished head after `size` more bytes."""
        if self._head_bytes == 0:
            self._set_deadline(self.server.now() + self.server.limits.head_timeout)
        self._head_bytes += size
        if self._head_bytes > HEAD_LIMIT:
            self._refuse(HeadersTooLarge(), arriving=True)

    def _set_deadline(self, at: float) -> None:
        """Set the deadline for the next data, unless the client's slow reading determines it."""
        if not self._paused_writing:
            self.deadline = at

    # Parser callbacks.

    def on_url(self, url: bytes) -> None:
        """Collect a part of the request's target."""
        if not self._in_head:  # a new request: anything after the last head was trailers
            self._in_head, self._repeated_host = True, False
            self._headers, self._target = {}, b""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Store a header. Repeated ones are joined, as HTTP defines."""
        key = name.lower()
        headers = self._headers
        if key in headers:
            value = headers[key] + (b"; " if key == b"cookie" else b", ") + value
            self._repeated_host = self._repeated_host or key == b"host"
        headers[key] = value

    def on_headers_complete(self) -> None:
        """Create the exchange of a complete head."""
        self._in_head = False
        parser, headers = self._parser, self._headers
        self._headers = {}  # trailers are not headers of this request
        if self._closing:  # received together with a request that was rejected
            return
        if self._resumed is not None:
            self._incoming, self._resumed = self._resumed, None
            return
        exchange = Exchange(self, parser.get_method(), self._target, headers)
        exchange.close = self.server.parting or not parser.should_keep_alive()
        if exchange.close or b"connection" in headers:  # otherwise it is HTTP/1.1 with keep-alive
            exchange.http10 = parser.get_http_version() == "1.0"
        exchange.flaw = self._flaw(exchange)
        self._head_bytes = 0
        self._sole = exchange if self._fresh else None
        self._fresh = False
        self._enter(exchange)

    def _enter(self, exchange: Exchange) -> None:
        exchange.arrived = self.server.now()
        self._incoming = exchange
        self._begin(exchange)

    def _flaw(self, exchange: Exchange) -> ApiError | None:
        """The error of a head that is syntactically valid but not acceptable."""
        headers = exchange.headers
        if len(headers) > HEADER_COUNT_LIMIT:
            return HeadersTooLarge()
        if self._head_bytes + self._fed > HEAD_LIMIT and _head_size(exchange) > HEAD_LIMIT:
            return HeadersTooLarge()
        if self._repeated_host or (b"host" not in headers and not exchange.http10):
            return not_http("it needs one Host header")  # RFC 9112, section 3.2
        if headers.get(b"transfer-encoding", b"chunked").lower() != b"chunked":
            return not_http("bodies come whole or chunked, in no other transfer coding")
        return None

    def on_body(self, data: bytes) -> None:
        """Store a part of the body."""
        exchange = self._incoming
        if exchange is None or exchange.state is State.DONE:
            return  # already answered
        try:
            if exchange.body.size + len(data) > exchange.body_limit:
                raise too_large(exchange.body_limit)
            exchange.body.add(data)
        except ApiError as error:
            self._too_much(exchange, error)

    def on_message_complete(self) -> None:
        """Handle a complete request."""
        exchange = self._incoming
        if exchange is not None and self._upgrades(exchange):
            return  # llhttp stops at the head of an upgrade; its body is still to come
        self._incoming = None
        self._head_bytes = 0
        self._set_deadline(NEVER)
        if exchange is not None:
            exchange.complete = True
            self._complete(exchange)

    def _upgrades(self, exchange: Exchange) -> bool:
        """Whether the parser treats a request as an upgrade, and so does not parse its body."""
        if b"upgrade" not in exchange.headers:
            return False
        return exchange.framed and bool(self._parser.should_upgrade())


def not_http(reason: str) -> BadRequest:
    """The error for data that cannot be parsed."""
    return BadRequest(f"This is not valid HTTP/1.1: {reason}.", code="bad_http")


def _head_size(exchange: Exchange) -> int:
    return len(exchange.target) + sum(len(k) + len(v) for k, v in exchange.headers.items())
