"""An HTTP/1.1 connection to an engine, with one exchange at a time.

A call is cancelled by closing it: the engine notices the disconnect and stops.
"""

import asyncio
from collections.abc import Callable, Iterator
from typing import Final, cast

import httptools

from oxlo.gateway.feed import chunks
from oxlo.gateway.repeated_heads import RepeatedHead, split_head
from oxlo.gateway.upstream_request import Carrier, Receiver, UpstreamRequest

#: An engine that sends this many bytes without any body is not sending a valid response, but
#: endless headers, trailers or informational heads.
BARE_LIMIT: Final = 64 * 1024
#: Up to this size, copying head and body together is cheaper than passing two buffers.
COPY_LIMIT: Final = 16 * 1024


class Pool:
    """The pool that a connection belongs to, implemented by `Upstream`."""

    def __init__(self) -> None:
        #: The head of the engine's latest response, if the next may repeat it.
        self.head: RepeatedHead | None = None

    def connect(self, request: UpstreamRequest) -> None:
        """Open another connection and send on it."""
        raise NotImplementedError

    def put_back(self, connection: "Connection") -> None:
        """Return a connection whose exchange has ended."""
        raise NotImplementedError

    def forget(self, connection: "Connection") -> None:
        """Remove an idle connection that the engine has closed."""
        raise NotImplementedError

    def soon(self, act: Callable[[], None]) -> None:
        """Run a function in the next turn of the event loop."""
        raise NotImplementedError


class _Unsolicited(Exception):
    """A second response to one request, which is not read."""


class Connection(Carrier):
    """A connection to an engine: an `asyncio.Protocol` by duck typing, as in `reading`."""

    __slots__ = (
        "_bodiless", "_ended", "_feed", "_full", "_headers", "_informational", "_keep", "_parser",
        "_paused", "_pieces", "_pool", "_request", "_seen", "_transport", "_turn", "_until_close",
        "_used",
    )  # fmt: skip

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport = cast(asyncio.Transport, None)
        self._request: UpstreamRequest | None = None
        self._headers: dict[bytes, bytes] = {}
        self._pieces: list[bytes] = []
        self._seen = 0
        #: Bytes received since the last body data.
        self._bodiless = 0
        self._used = 0
        self._keep = True
        self._paused = False
        self._until_close = False
        #: Set between the end of a response and a check of the data read together with it.
        self._ended = False
        #: Whether the latest head is informational, so that the actual one follows.
        self._informational = False
        #: The rest of a chunked upload; whether the transport's buffer is full; whether sending is
        #: scheduled.
        self._feed: Iterator[bytes] | None = None
        self._full = self._turn = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport."""
        self._transport = cast(asyncio.Transport, transport)

    def pause_writing(self) -> None:
        """Pause sending while the engine reads slowly; the rest of the body stays on disk."""
        self._full = True

    def resume_writing(self) -> None:
        """Resume sending."""
        self._full = False
        self._go_on()

    def eof_received(self) -> bool:
        """Close the connection when the engine closes its side."""
        return False

    def start(self, request: UpstreamRequest) -> None:
        """Send a request."""
        self._request = request
        request.connection = self
        self._seen = self._bodiless = 0
        self._used += 1
        self._headers = {}
        self._until_close = False
        body = request.body
        if not isinstance(body, bytes):
            self._transport.write(request.head)
            self._feed = chunks(body)
            self._go_on()
        elif len(body) > COPY_LIMIT:
            self._transport.writelines((request.head, body))
        else:
            self._transport.write(request.head + body)

    def _go_on(self) -> None:
        """Schedule the next chunk for a later turn of the event loop, so that others get theirs."""
        if self._feed is not None and not self._full and not self._turn:
            self._turn = True
            self._pool.soon(self._send_piece)

    def _send_piece(self) -> None:
        self._turn = False
        feed = self._feed
        if feed is None or self._full:
            return
        try:
            piece = next(feed, None)
        except OSError as error:
            self._fail(f"the body cannot be read: {error}")
            return
        if piece is None:
            self._feed = None
        else:
            self._transport.write(piece)
            self._go_on()

    def data_received(self, data: bytes) -> None:
        """Process received data."""
        request = self._request
        if request is None:  # unsolicited data: the connection cannot be reused
            self._pool.forget(self)
            self._transport.abort()
            return
        whole = self._seen == 0
        self._seen += len(data)
        head = self._pool.head
        if whole and head is not None:
            begin = head.body_of(data)
            if begin >= 0:
                self._take(request, head.headers(data, begin), data[begin:])
                return
        self._bodiless += len(data)
        self._parse(data)
        if self._ended:
            if whole and self._keep:
                self._remember(data)
            self._finish()
        elif self._bodiless > BARE_LIMIT:
            self._fail("it sends heads or trailers without end")

    def _take(self, request: UpstreamRequest, headers: dict[bytes, bytes], body: bytes) -> None:
        """Deliver a response received in one read, with the same events as from the parser."""
        self._keep = True
        request.receiver.on_head(200, headers)
        if self._request is not None and body:
            request.receiver.on_data(body)
        self._finish()

    def _remember(self, data: bytes) -> None:
        """Store the head of a response received in one read."""
        length = self._headers.get(b"content-length")
        if length is None or b"transfer-encoding" in self._headers:
            return
        if self._parser.get_status_code() != 200:
            return
        around = split_head(data, int(length))
        if around is not None:
            before, after = around
            self._pool.head = RepeatedHead(before, after, self._headers)

    def _parse(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserCallbackError as error:
            if not self._ended:
                raise error.__context__ or error from None
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._deliver()
            if not self._ended:
                self._fail(f"the reply is not HTTP: {error}")
            self._keep = False
        else:
            self._deliver()

    def on_message_begin(self) -> None:
        """Handle a response's start; a second one makes the connection unusable."""
        if self._ended:
            self._keep = False
            raise _Unsolicited

    def on_header(self, name: bytes, value: bytes) -> None:
        """Handle a header (called by the parser, like all `on_` methods)."""
        key = name.lower()
        if key == b"set-cookie" and key in self._headers:  # the only header that must not be joined
            value = self._headers[key] + b"\r\nset-cookie: " + value
        self._headers[key] = value

    def on_headers_complete(self) -> None:
        """Handle a complete head."""
        status = self._parser.get_status_code()
        self._informational = status < 200
        if self._request is not None and not self._informational:
            self._keep = self._parser.should_keep_alive()
            headers = self._headers
            self._until_close = not (
                b"content-length" in headers or b"transfer-encoding" in headers
            )
            self._request.receiver.on_head(status, self._headers)

    def on_body(self, data: bytes) -> None:
        """Collect body data: one chunk, if the body is chunked."""
        self._bodiless = 0
        self._pieces.append(data)

    def _deliver(self) -> None:
        """Deliver the body data of one read at once, regardless of the number of chunks."""
        pieces = self._pieces
        if pieces:
            data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            pieces.clear()
            if self._request is not None:
                self._request.receiver.on_data(data)

    def on_message_complete(self) -> None:
        """Handle a complete message."""
        self._deliver()
        if self._informational:
            self._headers = {}
        else:
            self._ended = True

    def _finish(self) -> None:
        """Finish a response that nothing followed, and return the connection to the pool."""
        self._ended = False
        request, self._request = self._request, None
        if request is None:
            return
        request.connection = None
        if self._keep and self._feed is None and not self._transport.is_closing():
            self.resume()  # a paused connection in the pool would stall its next user
            self._pool.put_back(self)
        else:
            self._transport.abort()
        self._deliver_end(request.receiver)

    def _deliver_end(self, receiver: Receiver) -> None:
        """Notify the receiver; a call whose response cannot be handled must end nevertheless."""
        ended = False
        try:
            receiver.on_end()
            ended = True
        finally:
            if not ended:
                receiver.on_fail("its reply could not be handled", sent=True)

    def connection_lost(self, exc: Exception | None) -> None:
        """Clean up after either side closed the connection."""
        self._feed = None
        # Breaks a reference cycle (the parser holds our methods) that only the garbage collector
        # would free.
        self._parser = cast(httptools.HttpResponseParser, None)
        if self._request is None:
            self._pool.forget(self)
            return
        self._finish_unframed(exc)

    def _finish_unframed(self, exc: Exception | None) -> None:
        """Notify the receiver; retry once on a new connection if a pooled one turned out dead."""
        request, self._request = self._request, None
        assert request is not None
        request.connection = None
        if self._used > 1 and self._seen == 0 and not request.retried:
            request.retried = True
            self._pool.connect(request)
            return
        if self._until_close and exc is None:
            self._deliver_end(request.receiver)
            return
        reason = f"the connection broke: {exc}" if exc else "the connection was closed"
        request.receiver.on_fail(reason, sent=True)

    def _fail(self, reason: str) -> None:
        request, self._request = self._request, None
        self._feed = None
        self._transport.abort()
        if request is not None:
            request.connection = None
            request.receiver.on_fail(reason, sent=True)

    def abort(self) -> None:
        """Close immediately."""
        self._request = self._feed = None
        self._transport.abort()

    def pause(self) -> None:
        """Pause reading."""
        self._paused = True
        self._transport.pause_reading()

    def resume(self) -> None:
        """Resume reading."""
        if self._paused:
            self._paused = False
            self._transport.resume_reading()
