"""The engine's side of HTTP/1.1: pooled connections, one exchange at a time on each.

Closing a connection is how a call is cancelled: the engine sees its client gone and stops.
"""

import asyncio
import ssl
from collections.abc import Callable, Iterator
from typing import Final, cast
from urllib.parse import urlsplit

import httptools

from oxlo.engines.dialect import EngineCall
from oxlo.engines.parts import Parts
from oxlo.gateway.feed import chunks
from oxlo.gateway.sending import Carrier, Receiver, Sending

#: So many bytes from an engine without anything of a body are not a reply: a head or trailers
#: without end, or one informational head after the other.
BARE_LIMIT: Final = 64 * 1024
CONNECT_TIMEOUT = 5.0
#: Up to here, copying head and body together costs less than handing over two buffers.
COPY_LIMIT: Final = 16 * 1024
#: Idle connections kept to one engine.
IDLE_LIMIT: Final = 512


class Upstream:
    """One engine's address and its pool of connections."""

    def __init__(self, address: str, loop: asyncio.AbstractEventLoop, headers: str = "") -> None:
        """`address`: `http://host:port`, `https://host/prefix`, or `unix:/path/to.sock`.

        `headers` are whole lines added to each request.
        """
        self._loop = loop
        self._idle: list[Connection] = []
        self._socket = address.removeprefix("unix:") if address.startswith("unix:") else ""
        parts = urlsplit("http://localhost" if self._socket else address)
        self._host = parts.hostname or "localhost"
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._ssl = ssl.create_default_context() if parts.scheme == "https" else None
        self._prefix = parts.path.rstrip("/").encode()
        self._lines = f"host: {parts.netloc}\r\n{headers}".encode()
        self._connecting: set[asyncio.Task[None]] = set()
        self._posts: dict[str, bytes] = {}

    @property
    def idle(self) -> int:
        """Connections that wait for a call."""
        return len(self._idle)

    def post(self, call: EngineCall, receiver: Receiver) -> Sending:
        """Send an engine's request; the reply goes to `receiver`."""
        head, body = self._posts.get(call.path), call.body
        if head is None:
            start = b"POST %b%b HTTP/1.1" % (self._prefix, call.path.encode())
            head = self._posts[call.path] = b"%b\r\n%bcontent-type: " % (start, self._lines)
        kind = call.content_type.encode()
        size = len(body) if isinstance(body, bytes) else body.size
        return self.send(b"%b%b\r\ncontent-length: %d\r\n\r\n" % (head, kind, size), body, receiver)

    def request(
        self, method: bytes, target: bytes, headers: bytes, body: bytes, receiver: Receiver
    ) -> Sending:
        """Send any request; `headers` are whole lines."""
        length = b"content-length: %d\r\n\r\n" % len(body) if body else b"\r\n"
        head = b"%b %b%b HTTP/1.1\r\n%b%b%b" % (
            method,
            self._prefix,
            target,
            self._lines,
            headers,
            length,
        )
        return self.send(head, body, receiver)

    def send(self, head: bytes, body: bytes | Parts, receiver: Receiver) -> Sending:
        """Send on an idle connection, or on a new one."""
        sending = Sending(head, body, receiver)
        if self._idle:
            self._idle.pop().start(sending)
        else:
            self.connect(sending)
        return sending

    def connect(self, sending: Sending) -> None:
        """Open a connection and send on it."""
        task = self._loop.create_task(self._connect(sending))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self, sending: Sending) -> None:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                connection = await self._dial()
        except (OSError, TimeoutError) as error:
            if not sending.cancelled:
                sending.receiver.on_fail(f"cannot connect: {error or 'timed out'}", sent=False)
            return
        if sending.cancelled:
            self.put_back(connection)
        else:
            connection.start(sending)

    async def _dial(self) -> "Connection":
        connection, loop = Connection(self), self._loop

        def factory() -> asyncio.Protocol:
            return cast(asyncio.Protocol, connection)

        if self._socket:
            await loop.create_unix_connection(factory, self._socket)
        else:
            await loop.create_connection(factory, self._host, self._port, ssl=self._ssl)
        return connection

    def soon(self, act: Callable[[], None]) -> None:
        """Have something done in the loop's next turn."""
        self._loop.call_soon(act)

    def put_back(self, connection: "Connection") -> None:
        """Return a connection whose exchange is over."""
        if len(self._idle) < IDLE_LIMIT:
            self._idle.append(connection)
        else:
            connection.abort()

    def forget(self, connection: "Connection") -> None:
        """An idle connection was closed by the engine."""
        if connection in self._idle:
            self._idle.remove(connection)

    def close(self) -> None:
        """Close the idle connections; busy ones end with their exchange."""
        while self._idle:
            self._idle.pop().abort()


class _Unasked(Exception):
    """A second reply to one request: it is not read."""


class Connection(Carrier):
    """One connection to an engine: an `asyncio.Protocol` in all but ancestry, as in `http`."""

    __slots__ = (
        "_bare",
        "_ended",
        "_feed",
        "_full",
        "_headers",
        "_informs",
        "_keep",
        "_parser",
        "_paused",
        "_pieces",
        "_seen",
        "_sending",
        "_transport",
        "_turn",
        "_until_close",
        "_upstream",
        "_used",
    )

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
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
            self._upstream.soon(self._send_piece)

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
        """Parse a piece of the reply."""
        if self._sending is None:  # bytes that nobody asked for: this connection is not sane
            self._upstream.forget(self)
            self._transport.abort()
            return
        self._seen += len(data)
        self._bare += len(data)
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
        if self._ended:
            self._finish()
        elif self._bare > BARE_LIMIT:
            self._fail("it sends heads or trailers without end")

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
            self._upstream.put_back(self)
        else:
            self._transport.abort()
        sending.receiver.on_end()

    def connection_lost(self, exc: Exception | None) -> None:
        """The engine closed, or we did."""
        self._feed = None
        # It holds our methods: without this, only the collector could free the two.
        self._parser = cast(httptools.HttpResponseParser, None)
        if self._sending is None:
            self._upstream.forget(self)
            return
        self._finish_unframed(exc)

    def _finish_unframed(self, exc: Exception | None) -> None:
        """Tell the receiver; a pooled connection found dead is tried once more on a fresh one."""
        sending, self._sending = self._sending, None
        assert sending is not None
        sending.connection = None
        if self._used > 1 and self._seen == 0 and not sending.retried:
            sending.retried = True
            self._upstream.connect(sending)
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
