"""A request to an engine, with its connection and the receiver of the response."""

from typing import Protocol

from oxlo.engines.parts import Parts


class Receiver(Protocol):
    """Receives an engine's response."""

    def on_head(self, status: int, headers: dict[bytes, bytes]) -> None:
        """Handle the response head; header names are in lower case."""

    def on_data(self, data: bytes) -> None:
        """Handle response body data."""

    def on_end(self) -> None:
        """Handle a complete response."""

    def on_fail(self, reason: str, *, sent: bool) -> None:
        """Handle a failure; `sent`: the engine may have started to work on the request."""


class Carrier:
    """The connection used for a request, implemented in `gateway/outgoing.py`."""

    __slots__ = ()

    def abort(self) -> None:
        """Close immediately."""
        raise NotImplementedError

    def pause(self) -> None:
        """Pause reading."""
        raise NotImplementedError

    def resume(self) -> None:
        """Resume reading."""
        raise NotImplementedError


class UpstreamRequest:
    """A request in progress, which its sender may pause or cancel."""

    __slots__ = ("body", "cancelled", "connection", "head", "receiver", "retried")

    def __init__(self, head: bytes, body: bytes | Parts, receiver: Receiver) -> None:
        self.head = head
        self.body = body
        self.receiver = receiver
        self.connection: Carrier | None = None
        self.cancelled = False
        self.retried = False

    def cancel(self) -> None:
        """Cancel the exchange; the engine notices the disconnect."""
        self.cancelled = True
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.abort()

    def pause(self) -> None:
        """Pause reading the response."""
        if self.connection is not None:
            self.connection.pause()

    def resume(self) -> None:
        """Resume reading."""
        if self.connection is not None:
            self.connection.resume()
