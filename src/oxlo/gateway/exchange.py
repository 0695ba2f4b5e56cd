"""One request and its reply, as the application sees it.

The states of an exchange, in the order in which they may be entered:

    OPEN      the head is here; the application has been asked for a handler
    HELD      the application is still deciding (a key is being looked up): reading is paused
    READY     the handler waits for the whole body
    WORKING   the handler has the body
    DONE      the last byte of the reply was handed to the transport
"""

from collections.abc import Callable
from enum import IntEnum
from typing import Final, Protocol

from oxlo.errors import ApiError, BodyTooLarge
from oxlo.gateway.body import Body, Budget
from oxlo.gateway.headers import error_head, number, status_line


class State(IntEnum):
    """Where an exchange is in its life."""

    OPEN = 0
    HELD = 1
    READY = 2
    WORKING = 3
    DONE = 4


class Handler(Protocol):
    """What an application does with one exchange."""

    def body(self, body: Body) -> None:
        """The whole body is here, until the exchange ends. May raise ApiError."""

    def gone(self) -> None:
        """The client left before the reply ended."""

    def paused(self) -> None:
        """The client reads too slowly: send no more until `resumed`."""

    def resumed(self) -> None:
        """The client has caught up."""


class Silent:
    """The handler of an exchange that was answered on its head."""

    def body(self, body: Body) -> None:
        """Ignore the body."""

    def gone(self) -> None:
        """Nothing is under way."""

    def paused(self) -> None:
        """Nothing is being sent."""

    def resumed(self) -> None:
        """Nothing is being sent."""


SILENT: Final = Silent()


class Link:
    """The connection that an exchange came by: that of `gateway/http.py`."""

    def __init__(self, budget: Budget) -> None:
        #: Of memory, for the bodies of all connections.
        self.budget = budget
        self.peer = ""

    def write(self, data: bytes) -> None:
        """Hand bytes to the transport."""
        raise NotImplementedError

    def pause(self) -> None:
        """Stop reading from the client."""
        raise NotImplementedError

    def abort(self) -> None:
        """Cut the connection at once."""
        raise NotImplementedError

    def proceed(self, exchange: "Exchange") -> None:
        """Go on with an exchange whose handler is decided."""
        raise NotImplementedError

    def act(self, step: Callable[[], None]) -> None:
        """Take a step of the current exchange in a turn that is not the parser's."""
        raise NotImplementedError

    def finished(self, exchange: "Exchange") -> None:
        """A reply is complete; go on with the next request, or close."""
        raise NotImplementedError


class Exchange:
    """One request and its reply."""

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
        #: Why its head is refused, when its turn comes to be answered.
        self.flaw: ApiError | None = None
        #: Header lines that belong to every reply of this exchange: id, CORS, ...
        self.head = b""
        self._streaming = False
        self._chunked = False

    @property
    def path(self) -> bytes:
        """The target without its query."""
        return self.target.partition(b"?")[0]

    @property
    def length(self) -> int:
        """The declared length of the body; 0 when there is none or it is chunked."""
        return int(self.headers.get(b"content-length", b"0"))

    @property
    def framing(self) -> bytes:
        """The header line that says how long the body is."""
        coding = self.headers.get(b"transfer-encoding")
        if coding is not None:
            return b"transfer-encoding: " + coding
        return b"content-length: %d" % self.length

    @property
    def framed(self) -> bool:
        """Whether a body was announced."""
        return self.length > 0 or b"transfer-encoding" in self.headers

    def hold(self) -> None:
        """Stop reading until `proceed`: the application is still deciding."""
        self.state = State.HELD
        self.connection.pause()

    def proceed(self) -> None:
        """Read the body, or hand it over when it is here already."""
        self.state = State.READY
        length = self.headers.get(b"content-length", b"")
        # Six digits are within any limit.
        if len(length) > 6 and int(length) > self.body_limit:
            self.fail(too_large(self.body_limit))
        else:
            self.connection.proceed(self)

    def reply(self, status: int, head: bytes, body: bytes) -> None:
        """Send a whole reply; `head` holds header lines beside those in `self.head`."""
        if status == 204:  # it has no body, and may not speak of one
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
        """Send an error, unless a reply has begun; then cut the connection, which cannot lie."""
        if self.state is State.DONE:
            return
        if self._streaming:
            self.connection.abort()
            return
        if error.status in (400, 408, 413, 431) and not self.complete:
            self.close = True
        self.reply(error.status, error_head(error), error.body())

    def begin(self, status: int, head: bytes, first: bytes = b"") -> None:
        """Start a reply of unknown length, with its first bytes."""
        self._streaming = True
        self._chunked = not self.http10
        self.close = self.close or self.http10
        framing = b"transfer-encoding: chunked\r\n\r\n" if self._chunked else b"\r\n"
        head = b"".join((status_line(status), self.head, head, self._persistence(), framing))
        self.connection.write(head + self._frame(first))

    def _persistence(self) -> bytes:
        """Whether the connection stays, where that is not the version's default."""
        if self.close:
            return b"connection: close\r\n"
        return b"connection: keep-alive\r\n" if self.http10 else b""

    def send(self, data: bytes) -> None:
        """Send a piece of a reply that `begin` started."""
        self.connection.write(self._frame(data))

    def end(self, data: bytes = b"") -> None:
        """Send the last piece."""
        self.connection.write(self._frame(data) + (b"0\r\n\r\n" if self._chunked else b""))
        self.finish()

    def cut(self, data: bytes) -> None:
        """Send the last piece of a reply that went wrong: an error."""
        self.end(data)

    def _frame(self, data: bytes) -> bytes:
        if not self._chunked or not data:
            return data
        return b"%x\r\n%b\r\n" % (len(data), data)

    @property
    def streaming(self) -> bool:
        """Whether a reply of unknown length has begun."""
        return self._streaming

    def finish(self) -> None:
        """The reply is complete."""
        self.state = State.DONE
        self.body.release()
        self.handler = SILENT  # they refer to each other: let go, so that no collector is needed
        self.connection.finished(self)


def too_large(limit: int) -> BodyTooLarge:
    """The error for a body over `limit` bytes."""
    return BodyTooLarge(
        f"The request body is larger than {limit / (1 << 20):g} MB, the most that your plan takes.",
        limit_bytes=limit,
    )
