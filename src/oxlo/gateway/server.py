"""What all connections of one listener share: who answers, the limits, the end."""

import asyncio
from collections.abc import Callable
from typing import Protocol

import structlog

from oxlo.gateway.body import Budget
from oxlo.gateway.exchange import Exchange, Handler, Link

log = structlog.get_logger()

NO_LIMIT = 1 << 62
#: Seconds between two words about too many connections.
CROWDED_SECONDS = 60.0


class Application(Protocol):
    """What answers exchanges."""

    def open(self, exchange: Exchange) -> Handler:
        """Take up an exchange by its head. May reply at once, or raise ApiError."""


class Limits(Protocol):
    """The settings that a connection needs (see `Settings`)."""

    @property
    def head_timeout(self) -> float: ...  # noqa: D102
    @property
    def body_timeout(self) -> float: ...  # noqa: D102
    @property
    def idle_timeout(self) -> float: ...  # noqa: D102
    @property
    def write_timeout(self) -> float: ...  # noqa: D102


class Served(Link):
    """A connection, as its server sees it."""

    #: When something has to have come, by the server's clock.
    deadline: float

    @property
    def idle(self) -> bool:
        """Whether no request is under way."""
        raise NotImplementedError

    def expire(self, now: float) -> None:
        """Called when the deadline has passed: whatever was awaited did not come."""
        raise NotImplementedError

    def close_when_idle(self) -> None:
        """Close now if nothing is under way; else after the current reply."""
        raise NotImplementedError


class Server:
    """What all connections of one listener share."""

    def __init__(
        self,
        application: Application,
        limits: Limits,
        budget: Budget,
        now: Callable[[], float],
        name_exchange: Callable[[Exchange], None],
    ) -> None:
        self.application = application
        self.limits = limits
        self.budget = budget
        self.now = now
        #: Gives an exchange its id; the application's business, needed for malformed requests too.
        self.name_exchange = name_exchange
        self.connections: set[Served] = set()
        #: How many may be open at a time, and how many were closed because that was reached.
        self.most = NO_LIMIT
        self.crowded = 0
        self._said_crowded = -CROWDED_SECONDS
        #: From now on each reply is the last of its connection.
        self.parting = False
        #: Set when parting has left no connection.
        self.empty = asyncio.Event()

    def has_room(self, connection: Served) -> bool:
        """Take in a new connection, for which those that were idle the longest have to go.

        False when it has to go itself: no other is idle.
        """
        self.connections.add(connection)
        if len(self.connections) <= self.most:
            return True
        idle = sorted(
            (c for c in self.connections if c.idle and c is not connection),
            key=lambda c: c.deadline,
        )
        leaving = idle[: max(1, self.most // 16)]  # many: the next ones need not look
        for each in leaving:
            each.close_when_idle()
        self._crowd(max(1, len(leaving)))
        return bool(leaving)

    def _crowd(self, closed: int) -> None:
        self.crowded += closed
        if self.now() - self._said_crowded >= CROWDED_SECONDS:
            self._said_crowded = self.now()
            log.warning("connections.crowded", most=self.most, closed=self.crowded)

    def left(self, connection: Served) -> None:
        """A connection has ended."""
        self.connections.discard(connection)
        self._note_empty()

    def _note_empty(self) -> None:
        if self.parting and not self.connections:
            self.empty.set()

    def sweep(self, now: float) -> None:
        """Expire connections whose deadline has passed; called twice a second."""
        for connection in [c for c in self.connections if c.deadline < now]:
            connection.expire(now)

    def part(self) -> None:
        """Close each connection after the reply that it has, or else gets next.

        A proxy may be sending a call on an idle one just now, and would not send it again.
        """
        self.parting = True
        self._note_empty()
        for connection in list(self.connections):
            if not connection.idle:
                connection.close_when_idle()

    def drain(self) -> None:
        """Close idle connections, and the others after their current reply."""
        self.part()
        for connection in list(self.connections):
            connection.close_when_idle()
