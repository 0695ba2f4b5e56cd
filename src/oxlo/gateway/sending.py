"""One request to an engine: what carries it, and who gets the reply."""

from typing import Protocol

from oxlo.engines.parts import Parts


class Receiver(Protocol):
    """Who gets an engine's reply."""

    def on_head(self, status: int, headers: dict[bytes, bytes]) -> None:
        """The reply's head; header names are in lower case."""

    def on_data(self, data: bytes) -> None:
        """A piece of the reply's body."""

    def on_end(self) -> None:
        """The reply is complete."""

    def on_fail(self, reason: str, *, sent: bool) -> None:
        """The exchange broke; `sent`: the engine may have begun to work on it."""


class Carrier:
    """The connection that a request is sent on: that of `gateway/outgoing.py`."""

    __slots__ = ()

    def abort(self) -> None:
        """Close at once."""
        raise NotImplementedError

    def pause(self) -> None:
        """Read no more for now."""
        raise NotImplementedError

    def resume(self) -> None:
        """Read on."""
        raise NotImplementedError


class Sending:
    """One request under way: what the caller keeps, to pause or cancel it."""

    __slots__ = ("body", "cancelled", "connection", "head", "receiver", "retried")

    def __init__(self, head: bytes, body: bytes | Parts, receiver: Receiver) -> None:
        self.head = head
        self.body = body
        self.receiver = receiver
        self.connection: Carrier | None = None
        self.cancelled = False
        self.retried = False

    def cancel(self) -> None:
        """Drop the exchange; the engine sees its client gone."""
        self.cancelled = True
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.abort()

    def pause(self) -> None:
        """Read no more of the reply for now."""
        if self.connection is not None:
            self.connection.pause()

    def resume(self) -> None:
        """Read on."""
        if self.connection is not None:
            self.connection.resume()
