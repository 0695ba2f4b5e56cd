"""A call that several clients wait for: the first to send the key, and those repeating it."""

from collections.abc import Callable
from typing import Protocol

from oxlo.errors import ApiError
from oxlo.gateway.body import Body
from oxlo.gateway.exchange import SILENT, Exchange, State
from oxlo.gateway.idempotency.answers import Kept

#: Larger responses are not stored.
MOST = 8 << 20
TOO_LARGE = (
    "A call with this idempotency key is under way, and its answer is too large to be kept. "
    "Wait for it to end."
)


class Client(Protocol):
    """A client waiting for the response."""

    @property
    def exchange(self) -> Exchange:
        """The client's exchange."""

    def let_go(self) -> None:
        """Drop the reference to the ended response, which breaks a reference cycle."""

    def repeated(self, kept: Kept) -> None:
        """Write the receipt of a response produced for another client."""


class Shared(Exchange):
    """Represents the exchanges of all waiting clients; records the response while it is sent."""

    __slots__ = (
        "_chunks", "_ended", "_first", "_lines", "_paused", "_size", "clients", "fingerprint",
        "kept", "whole",
    )  # fmt: skip

    def __init__(self, first: Client, fingerprint: str, ended: "Callable[[Shared], None]") -> None:
        """`ended` is called once, when the response is complete or given up."""
        exchange = first.exchange
        super().__init__(exchange.connection, exchange.method, exchange.target, exchange.headers)
        self.id = exchange.id
        self.arrived = exchange.arrived
        self.complete = True
        self.state = State.WORKING
        # Take ownership of the body: the first client may leave while others wait.
        self.body, exchange.body = exchange.body, Body(exchange.connection.budget)
        self.clients = [first]
        #: The request's hash.
        self.fingerprint = fingerprint
        #: The complete response, if it may be stored.
        self.kept: Kept | None = None
        #: Whether a response that counts was sent completely.
        self.whole = False
        self._first = first
        self._ended = ended
        self._paused: set[Client] = set()
        self._lines = b""
        self._chunks: list[bytes] = []
        self._size = 0

    @property
    def later(self) -> list[Client]:
        """The waiting clients except the first."""
        return [client for client in self.clients if client is not self._first]

    @property
    def lines(self) -> bytes:
        """Header lines of the response."""
        return self._lines

    @property
    def answer(self) -> bytes:
        """The response's body."""
        return b"".join(self._chunks)

    @property
    def keepable(self) -> bool:
        """Whether the complete body was recorded."""
        return self._size <= MOST

    # Called by clients.

    def join(self, client: Client) -> None:
        """Add a client that waits for the same response, which has to be `keepable`."""
        self.clients.append(client)
        if self._streaming:
            client.exchange.begin(200, self._lines + self._mark(client), self.answer)

    def leave(self, client: Client) -> None:
        """Remove a client; the call is cancelled with the last one."""
        self.clients.remove(client)
        self.resume(client)
        if not self.clients and self.state is not State.DONE:
            handler = self.handler
            self.finish()
            handler.gone()

    def pause(self, client: Client) -> None:
        """Pause for a slow client; all others wait too, as they belong to the same account."""
        if not self._paused:
            self.handler.paused()
        self._paused.add(client)

    def resume(self, client: Client) -> None:
        """Resume for a client that has caught up."""
        if client in self._paused:
            self._paused.discard(client)
            if not self._paused:
                self.handler.resumed()

    # Called by the call, as for any exchange.

    def act(self, step: Callable[[], None]) -> None:
        """Run a step on the connection of a client that still waits: the first may have left."""
        clients = self.clients
        (clients[0].exchange.connection if clients else self.connection).act(step)

    def reply(self, status: int, head: bytes, body: bytes) -> None:
        """Send a complete response to all."""
        self._lines = head
        self._remember(body)
        for client in list(self.clients):
            client.exchange.reply(status, self.head + head + self._mark(client), body)
        self.whole = status == 200
        self.finish()

    def fail(self, error: ApiError) -> None:
        """Send an error to all; it is not stored."""
        if self.state is State.DONE:
            return
        for client in list(self.clients):
            client.exchange.head += self.head
            client.exchange.fail(error)
        self.finish()

    def begin(self, status: int, head: bytes, first: bytes = b"") -> None:
        """Start a stream to all."""
        self._streaming = True
        self._lines = head
        self._remember(first)
        for client in list(self.clients):
            client.exchange.begin(status, head + self._mark(client), first)

    def send(self, data: bytes) -> None:
        """Send a chunk to all."""
        self._remember(data)
        for client in list(self.clients):
            client.exchange.send(data)

    def end(self, data: bytes = b"") -> None:
        """Send the last chunk to all, which completes the response."""
        self._remember(data)
        for client in list(self.clients):
            client.exchange.end(data)
        self.whole = True
        self.finish()

    def cut(self, data: bytes) -> None:
        """Send an error to all as the last chunk; nothing is stored."""
        for client in list(self.clients):
            client.exchange.cut(data)
        self.finish()

    def finish(self) -> None:
        """End the response, complete or not."""
        if self.state is not State.DONE:
            self.state = State.DONE
            self.body.release()
            self._ended(self)
            self.handler = SILENT  # breaks reference cycles, also with the clients
            for client in self.clients:
                client.let_go()

    def _remember(self, data: bytes) -> None:
        self._size += len(data)
        if self._size <= MOST:
            self._chunks.append(data)
        else:
            self._chunks.clear()

    def _mark(self, client: Client) -> bytes:
        """The header that tells clients other than the first which call's response this is."""
        if client is self._first:
            return b""
        return b"x-oxlo-idempotent-replay: %b\r\n" % self.id
