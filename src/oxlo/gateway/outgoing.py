"""One connection to an engine, in HTTP/1.1: one exchange at a time.

Closing it is how a call is cancelled: the engine sees its client gone and stops.
"""

import asyncio
from collections.abc import Callable, Iterator
from typing import Final, cast

import httptools

from oxlo.gateway.feed import chunks
from oxlo.gateway.repeats import Repeat, halves
from oxlo.gateway.sending import Carrier, Sending

#: So many bytes from an engine without anything of a body are not a reply: a head or trailers
#: without end, or one informational head after the other.
BARE_LIMIT: Final = 64 * 1024
#: Up to here, copying head and body together costs less than handing over two buffers.
COPY_LIMIT: Final = 16 * 1024


class Pool:
    """Where a connection belongs: `Upstream` (`gateway/upstream.py`)."""

    def __init__(self) -> None:
        #: The head that the engine's latest reply had, if another may repeat it.
        self.head: Repeat | None = None

    def connect(self, sending: Sending) -> None:
        """Open another connection and send on it."""
        raise NotImplementedError

    def put_back(self, connection: "Connection") -> None:
        """Return a connection whose exchange is over."""
        raise NotImplementedError

    def forget(self, connection: "Connection") -> None:
        """An idle connection was closed by the engine."""
        raise NotImplementedError

    def soon(self, act: Callable[[], None]) -> None:
        """Have something done in the loop's next turn."""
        raise NotImplementedError


class _Unasked(Exception):
    """A second reply to one request: it is not read."""


class Connection(Carrier):
    """One connection to an engine: an `asyncio.Protocol` in all but ancestry, as in `reading`."""

    __slots__ = (
        "_bare", "_ended", "_feed", "_full", "_headers", "_informs", "_keep", "_parser",
        "_paused", "_pieces", "_pool", "_seen", "_sending", "_transport", "_turn", "_until_close",
        "_used",
    )  # fmt: skip

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport = cast(asyncio.Transport, None)
        self._sending: Sending | None = None
        self._headers: dict[bytes, bytes] = {}
        self._pieces: list[bytes] = []
        self._seen = 0
        #: Bytes since something of a body came.
        self._bare = 0
        self._used = 0
        self._keep = True
        self._paused = False
        self._until_close = False
        #: Whether the reply is complete, and what was read with its end is still looked at.
        self._ended = False
        #: Whether the head that came last is informational: the reply's own follows it.
        self._informs = False
        #: What of a body in pieces is still to be sent; whether the transport takes no more; and
        #: whether a turn to send is already asked for.
        self._feed: Iterator[bytes] | None = None
        self._full = self._turn = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected."""
        self._transport = cast(asyncio.Transport, transport)

    def pause_writing(self) -> None:
        """The engine takes a body slowly: what lies in files waits there."""
        self._full = True

    def resume_writing(self) -> None:
        """The engine has caught up."""
        self._full = False
        self._go_on()

    def eof_received(self) -> bool:
        """The engine sends no more: close."""
        return False

    def start(self, sending: Sending) -> None:
        """Send a request."""
        self._sending = sending
        sending.connection = self
        self._seen = self._bare = 0
        self._used += 1
        self._headers = {}
        self._until_close = False
        body = sending.body
        if not isinstance(body, bytes):
            self._transport.write(sending.head)
            self._feed = chunks(body)
            self._go_on()
        elif len(body) > COPY_LIMIT:
            self._transport.writelines((sending.head, body))
        else:
            self._transport.write(sending.head + body)

    def _go_on(self) -> None:
        """Ask for a turn of the loop: between two pieces of a large body others have theirs."""
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
        """Take in a piece of the reply."""
        sending = self._sending
        if sending is None:  # bytes that nobody asked for: this connection is not sane
            self._pool.forget(self)
            self._transport.abort()
            return
        whole = self._seen == 0
        self._seen += len(data)
        head = self._pool.head
        if whole and head is not None:
            begin = head.body_of(data)
            if begin >= 0:
                self._take(sending, head.headers(data, begin), data[begin:])
                return
        self._bare += len(data)
        self._parse(data)
        if self._ended:
            if whole and self._keep:
                self._remember(data)
            self._finish()
        elif self._bare > BARE_LIMIT:
            self._fail("it sends heads or trailers without end")

    def _take(self, sending: Sending, headers: dict[bytes, bytes], body: bytes) -> None:
        """Hand on a reply that is here as a whole, as the parser would have it handed on."""
        self._keep = True
        sending.receiver.on_head(200, headers)
        if self._sending is not None and body:
            sending.receiver.on_data(body)
        self._finish()

    def _remember(self, data: bytes) -> None:
        """Keep the head of a reply that came in one read."""
        length = self._headers.get(b"content-length")
        if length is None or b"transfer-encoding" in self._headers:
            return
        if self._parser.get_status_code() != 200:
            return
        around = halves(data, int(length))
        if around is not None:
            before, after = around
            self._pool.head = Repeat(before, after, self._headers)

    def _parse(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserCallbackError as error:
            if not self._ended:
                raise error.__context__ or error from None
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._hand_on()
            if not self._ended:
                self._fail(f"the reply is not HTTP: {error}")
            self._keep = False
        else:
            self._hand_on()

    def on_message_begin(self) -> None:
        """A reply begins; after the one that was asked for, the connection is not sane."""
        if self._ended:
            self._keep = False
            raise _Unasked

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header (called by the parser, as are all `on_` methods)."""
        key = name.lower()
        if key == b"set-cookie" and key in self._headers:  # the one header that may not be joined
            value = self._headers[key] + b"\r\nset-cookie: " + value
        self._headers[key] = value

    def on_headers_complete(self) -> None:
        """The head is here."""
        status = self._parser.get_status_code()
        self._informs = status < 200
        if self._sending is not None and not self._informs:
            self._keep = self._parser.should_keep_alive()
            headers = self._headers
            self._until_close = not (
                b"content-length" in headers or b"transfer-encoding" in headers
            )
            self._sending.receiver.on_head(status, self._headers)

    def on_body(self, data: bytes) -> None:
        """A piece of the body: one chunk of it, where it comes in chunks."""
        self._bare = 0
        self._pieces.append(data)

    def _hand_on(self) -> None:
        """What came in one read goes on in one piece, however many chunks it was."""
        pieces = self._pieces
        if pieces:
            data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            pieces.clear()
            if self._sending is not None:
                self._sending.receiver.on_data(data)

    def on_message_complete(self) -> None:
        """The reply is complete."""
        self._hand_on()
        if self._informs:
            self._headers = {}
        else:
            self._ended = True

    def _finish(self) -> None:
        """The reply is complete, and nothing came behind it: the connection is free again."""
        self._ended = False
        sending, self._sending = self._sending, None
        if sending is None:
            return
        sending.connection = None
        if self._keep and self._feed is None and not self._transport.is_closing():
            self.resume()  # a paused connection in the pool would stall its next user
            self._pool.put_back(self)
        else:
            self._transport.abort()
        sending.receiver.on_end()

    def connection_lost(self, exc: Exception | None) -> None:
        """The engine closed, or we did."""
        self._feed = None
        # It holds our methods: without this, only the collector could free the two.
        self._parser = cast(httptools.HttpResponseParser, None)
        if self._sending is None:
            self._pool.forget(self)
            return
        self._finish_unframed(exc)

    def _finish_unframed(self, exc: Exception | None) -> None:
        """Tell the receiver; a pooled connection found dead is tried once more on a fresh one."""
        sending, self._sending = self._sending, None
        assert sending is not None
        sending.connection = None
        if self._used > 1 and self._seen == 0 and not sending.retried:
            sending.retried = True
            self._pool.connect(sending)
            return
        if self._until_close and exc is None:
            sending.receiver.on_end()
            return
        reason = f"the connection broke: {exc}" if exc else "the connection was closed"
        sending.receiver.on_fail(reason, sent=True)

    def _fail(self, reason: str) -> None:
        sending, self._sending = self._sending, None
        self._feed = None
        self._transport.abort()
        if sending is not None:
            sending.connection = None
            sending.receiver.on_fail(reason, sent=True)

    def abort(self) -> None:
        """Close at once."""
        self._sending = self._feed = None
        self._transport.abort()

    def pause(self) -> None:
        """Read no more for now."""
        self._paused = True
        self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self._paused:
            self._paused = False
            self._transport.resume_reading()
