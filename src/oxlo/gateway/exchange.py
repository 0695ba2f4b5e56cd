"""One HTTP request and its response, as seen by the application.

The states of an exchange, in the order in which they may be entered:

    OPEN      the head was received; the application has been asked for a handler
    HELD      the application is still deciding (a key is being looked up): reading is paused
    READY     the handler waits for the whole body
    WORKING   the handler has the body
    DONE      the last byte of the response was passed to the transport
"""

from collections.abc import Callable
from enum import IntEnum
from typing import Final, Protocol

from oxlo.errors import ApiError, BodyTooLarge
from oxlo.gateway.body import Body, Budget
from oxlo.gateway.headers import error_head, number, status_line


class State(IntEnum):
    """The states of an exchange."""

    OPEN = 0
    HELD = 1
    READY = 2
    WORKING = 3
    DONE = 4


class Handler(Protocol):
    """The application's handler of one exchange."""

    def body(self, body: Body) -> None:
        """Handle the complete body, valid until the exchange ends. May raise ApiError."""

    def gone(self) -> None:
        """Handle a client that disconnected before the response ended."""

    def crashed(self) -> None:
        """Handle an unexpected error of ours: end the work, which then does not count."""

    def paused(self) -> None:
        """Handle a slow client: send nothing more until `resumed`."""

    def resumed(self) -> None:
        """Handle a client that has caught up."""


class Silent:
    """The handler of an exchange that was answered before its body arrived."""

    def body(self, body: Body) -> None:
        """Ignore the body."""

    def gone(self) -> None:
        """Do nothing: no work is in progress."""

    def crashed(self) -> None:
        """Do nothing: no work is in progress."""

    def paused(self) -> None:
        """Do nothing: nothing is being sent."""

    def resumed(self) -> None:
        """Do nothing: nothing is being sent."""


SILENT: Final = Silent()


class Link:
    """The connection of an exchange, implemented in `gateway/http.py`."""

    def __init__(self, budget: Budget) -> None:
        #: Memory budget for the bodies of all connections.
        self.budget = budget
        self.peer = ""

    def write(self, data: bytes) -> None:
        """Write bytes to the transport."""
        raise NotImplementedError

    def pause(self) -> None:
        """Pause reading from the client."""
        raise NotImplementedError

    def abort(self) -> None:
        """Close the connection immediately."""
        raise NotImplementedError

    def proceed(self, exchange: "Exchange") -> None:
        """Continue with an exchange whose handler is known."""
        raise NotImplementedError

    def act(self, step: Callable[[], None]) -> None:
        """Run a step of the current exchange outside the parser's callbacks."""
        raise NotImplementedError

    def finished(self, exchange: "Exchange") -> None:
        """Handle a complete response: go on with the next request, or close."""
        raise NotImplementedError


class Exchange:
    """One request and its response."""

    __slots__ = (
        "_chunked",
        "_streaming",
        "arrived",
        "body",
        "body_limit",
        "close",
        "complete",
        "connection",
        "flaw",
        "handler",
        "head",
        "headers",
        "http10",
        "id",
        "method",
        "state",
        "target",
    )

    def __init__(
        self,
        connection: Link,
        method: bytes,
        target: bytes,
        headers: dict[bytes, bytes],
    ) -> None:
        self.connection = connection
        self.method = method
        self.target = target
        self.headers = headers
        self.id = b""
        self.arrived = 0.0
        self.handler: Handler = SILENT
        self.state = State.OPEN
        self.body = Body(connection.budget)
        self.body_limit = 1 << 20
        self.complete = False
        self.close = False
        self.http10 = False
        #: An error in the head, sent once it is this exchange's turn.
        self.flaw: ApiError | None = None
        #: Header lines of every response of this exchange: id, CORS, ...
        self.head = b""
        self._streaming = False
        self._chunked = False

    @property
    def path(self) -> bytes:
        """The target without its query."""
        return self.target.partition(b"?")[0]

    @property
    def length(self) -> int:
        """The body's declared length; 0 if it has no body or is chunked."""
        return int(self.headers.get(b"content-length", b"0"))

    @property
    def framing(self) -> bytes:
        """The header line that declares the body's length."""
        coding = self.headers.get(b"transfer-encoding")
        if coding is not None:
            return b"transfer-encoding: " + coding
        return b"content-length: %d" % self.length

    @property
    def framed(self) -> bool:
        """Whether the head announced a body."""
        return self.length > 0 or b"transfer-encoding" in self.headers

    def hold(self) -> None:
        """Pause reading until `proceed`, while the application is deciding."""
        self.state = State.HELD
        self.connection.pause()

    def proceed(self) -> None:
        """Read the body, or deliver it if it is complete."""
        self.state = State.READY
        length = self.headers.get(b"content-length", b"")
        # A length of at most six digits is within any limit.
        if len(length) > 6 and int(length) > self.body_limit:
            self.fail(too_large(self.body_limit))
        else:
            self.connection.proceed(self)

    def act(self, step: Callable[[], None]) -> None:
        """Run a step that comes amid the work of others: an unexpected error ends this alone."""
        self.connection.act(step)

    def reply(self, status: int, head: bytes, body: bytes) -> None:
        """Send a complete response; `head` holds header lines in addition to `self.head`."""
        if status == 204:  # it must have neither a body nor a content-length
            self.connection.write(
                b"%b%b%b%b\r\n" % (status_line(status), self.head, head, self._persistence())
            )
            self.finish()
            return
        length = number(len(body))
        if self.method == b"HEAD":
            body = b""
        self.connection.write(
            b"%b%b%b%bcontent-length: %b\r\n\r\n%b"
            % (status_line(status), self.head, head, self._persistence(), length, body)
        )
        self.finish()

    def fail(self, error: ApiError) -> None:
        """Send an error, or cut the connection if a response has begun."""
        if self.state is State.DONE:
            return
        if self._streaming:
            self.connection.abort()
            return
        if error.status in (400, 408, 413, 431) and not self.complete:
            self.close = True
        self.reply(error.status, error_head(error), error.body())

    def begin(self, status: int, head: bytes, first: bytes = b"") -> None:
        """Start a response of unknown length with its first bytes."""
        self._streaming = True
        self._chunked = not self.http10
        self.close = self.close or self.http10
        framing = b"transfer-encoding: chunked\r\n\r\n" if self._chunked else b"\r\n"
        head = b"".join((status_line(status), self.head, head, self._persistence(), framing))
        self.connection.write(head + self._frame(first))

    def _persistence(self) -> bytes:
        """The `connection` header line, if it differs from the HTTP version's default."""
        if self.close:
            return b"connection: close\r\n"
        return b"connection: keep-alive\r\n" if self.http10 else b""

    def send(self, data: bytes) -> None:
        """Send a chunk of a response started by `begin`."""
        self.connection.write(self._frame(data))

    def end(self, data: bytes = b"") -> None:
        """Send the last chunk."""
        self.connection.write(self._frame(data) + (b"0\r\n\r\n" if self._chunked else b""))
        self.finish()

    def cut(self, data: bytes) -> None:
        """Send the last chunk of a failed response: an error."""
        self.end(data)

    def _frame(self, data: bytes) -> bytes:
        if not self._chunked or not data:
            return data
        return b"%x\r\n%b\r\n" % (len(data), data)

    @property
    def streaming(self) -> bool:
        """Whether a response of unknown length has begun."""
        return self._streaming

    def finish(self) -> None:
        """End the exchange."""
        self.state = State.DONE
        self.body.release()
        self.handler = SILENT  # breaks a reference cycle, so that no garbage collection is needed
        self.connection.finished(self)


def too_large(limit: int) -> BodyTooLarge:
    """The error for a body over `limit` bytes."""
    return BodyTooLarge(
        f"The request body is larger than {limit / (1 << 20):g} MB, the most that your plan takes.",
        limit_bytes=limit,
    )
