"""A call that several clients wait for: the first who sent a key, and those who repeat it."""

from collections.abc import Callable
from typing import Protocol

from oxlo.errors import ApiError, Conflict
from oxlo.gateway.body import Body
from oxlo.gateway.exchange import SILENT, Exchange, State
from oxlo.gateway.idempotency.answers import Kept

#: An answer that is larger is not kept.
MOST = 8 << 20
TOO_LARGE = (
    "A call with this idempotency key is under way, and its answer is too large to be kept. "
    "Wait for it to end."
)


class Client(Protocol):
    """Who waits for the answer."""

    @property
    def exchange(self) -> Exchange:
        """By which it is told."""

    def let_go(self) -> None:
        """The answer has ended; the two refer to each other no more."""

    def repeated(self, kept: Kept) -> None:
        """Write down that it got an answer that was made for another."""


class Shared(Exchange):
    """Stands for the exchanges of all who wait; remembers the answer while it is sent."""

    __slots__ = (
        "_chunks", "_ended", "_first", "_lines", "_paused", "_size", "clients", "fingerprint",
        "kept", "whole",
    )  # fmt: skip

    def __init__(self, first: Client, fingerprint: str, ended: "Callable[[Shared], None]") -> None:
        """`ended` is called once, when the answer is complete or given up."""
        exchange = first.exchange
        super().__init__(exchange.connection, exchange.method, exchange.target, exchange.headers)
        self.id = exchange.id
        self.arrived = exchange.arrived
        self.complete = True
        self.state = State.WORKING
        # The body is ours now: the first client may leave while others wait.
        self.body, exchange.body = exchange.body, Body(exchange.connection.budget)
        self.clients = [first]
        #: What was asked.
        self.fingerprint = fingerprint
        #: The whole answer, once it is there and counts.
        self.kept: Kept | None = None
        #: Whether an answer that counts was sent to its end.
        self.whole = False
        self._first = first
        self._ended = ended
        self._paused: set[Client] = set()
        self._lines = b""
        self._chunks: list[bytes] = []
        self._size = 0

    @property
    def later(self) -> list[Client]:
        """Those who wait and were not the first."""
        return [client for client in self.clients if client is not self._first]

    @property
    def lines(self) -> bytes:
        """Header lines of the answer."""
        return self._lines

    @property
    def answer(self) -> bytes:
        """The answer's body."""
        return b"".join(self._chunks)

    @property
    def keepable(self) -> bool:
        """Whether all of it is remembered."""
        return self._size <= MOST

    # The clients' side.

    def join(self, client: Client) -> None:
        """Another one waits for the same answer. Raises Conflict when it is too late for that."""
        if not self.keepable:
            raise Conflict(TOO_LARGE, code="idempotency_in_progress")
        self.clients.append(client)
        if self._streaming:
            client.exchange.begin(200, self._lines + self._mark(client), self.answer)

    def leave(self, client: Client) -> None:
        """One has left; with the last one, the call is given up."""
        self.clients.remove(client)
        self.resume(client)
        if not self.clients and self.state is not State.DONE:
            handler = self.handler
            self.finish()
            handler.gone()

    def pause(self, client: Client) -> None:
        """One reads slowly: all wait for it, they are one account's."""
        if not self._paused:
            self.handler.paused()
        self._paused.add(client)

    def resume(self, client: Client) -> None:
        """It has caught up."""
        if client in self._paused:
            self._paused.discard(client)
            if not self._paused:
                self.handler.resumed()

    # The call's side: as for any exchange.

    def reply(self, status: int, head: bytes, body: bytes) -> None:
        """Send a whole reply to all."""
        self._lines = head
        self._remember(body)
        for client in list(self.clients):
            client.exchange.reply(status, self.head + head + self._mark(client), body)
        self.whole = status == 200
        self.finish()

    def fail(self, error: ApiError) -> None:
        """Send an error to all; it is not kept."""
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
        """Send a piece to all."""
        self._remember(data)
        for client in list(self.clients):
            client.exchange.send(data)

    def end(self, data: bytes = b"") -> None:
        """Send the last piece to all: the answer is complete."""
        self._remember(data)
        for client in list(self.clients):
            client.exchange.end(data)
        self.whole = True
        self.finish()

    def cut(self, data: bytes) -> None:
        """Send the last piece to all, an error: there is nothing to keep."""
        for client in list(self.clients):
            client.exchange.cut(data)
        self.finish()

    def finish(self) -> None:
        """The answer is complete, or given up."""
        if self.state is not State.DONE:
            self.state = State.DONE
            self.body.release()
            self._ended(self)
            self.handler = SILENT  # they refer to each other, as do its clients
            for client in self.clients:
                client.let_go()

    def _remember(self, data: bytes) -> None:
        self._size += len(data)
        if self._size <= MOST:
            self._chunks.append(data)
        else:
            self._chunks.clear()

    def _mark(self, client: Client) -> bytes:
        """Those who came later are told whose answer it is."""
        if client is self._first:
            return b""
        return b"x-oxlo-idempotent-replay: %b\r\n" % self.id
