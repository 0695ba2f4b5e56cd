"""The state shared by all connections of a listener: the application, limits and shutdown."""

import asyncio
from collections.abc import Callable
from typing import Protocol

import structlog

from oxlo.gateway.body import Budget
from oxlo.gateway.exchange import Exchange, Handler, Link

log = structlog.get_logger()

NO_LIMIT = 1 << 62
#: Minimum seconds between log entries about too many connections.
CROWDED_SECONDS = 60.0


class Application(Protocol):
    """The application that handles exchanges."""

    def open(self, exchange: Exchange) -> Handler:
        """Open an exchange by its head. May respond immediately, or raise ApiError."""


class Limits(Protocol):
    """The settings of a connection (see `Settings`)."""

    @property
    def head_timeout(self) -> float: ...  # noqa: D102
    @property
    def body_timeout(self) -> float: ...  # noqa: D102
    @property
    def idle_timeout(self) -> float: ...  # noqa: D102
    @property
    def write_timeout(self) -> float: ...  # noqa: D102


class Served(Link):
    """A connection as seen by its server."""

    #: Deadline for the next data, by the server's clock.
    deadline: float

    @property
    def idle(self) -> bool:
        """Whether no request is in progress."""
        raise NotImplementedError

    def expire(self, now: float) -> None:
        """Handle a timeout: the expected data did not arrive by the deadline."""
        raise NotImplementedError

    def close_when_idle(self) -> None:
        """Close now if no request is in progress, otherwise after the current response."""
        raise NotImplementedError


class Server:
    """The state shared by all connections of a listener."""

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
        #: Assigns an exchange its id; needed for malformed requests too, which no handler sees.
        self.name_exchange = name_exchange
        self.connections: set[Served] = set()
        #: Maximum number of open connections, and how many were closed because of it.
        self.most = NO_LIMIT
        self.crowded = 0
        self._crowded_logged_at = -CROWDED_SECONDS
        #: Whether each connection is closed after its next response.
        self.parting = False
        #: Set once all connections are closed after `part`.
        self.empty = asyncio.Event()

    def has_room(self, connection: Served) -> bool:
        """Register a new connection; if there are too many, close those idle for the longest time.

        False if no connection is idle, so that the new one has to be closed.
        """
        self.connections.add(connection)
        if len(self.connections) <= self.most:
            return True
        idle = sorted(
            (c for c in self.connections if c.idle and c is not connection),
            key=lambda c: c.deadline,
        )
        leaving = idle[: max(1, self.most // 16)]  # several at once, to do this rarely
        for each in leaving:
            each.close_when_idle()
        self._crowd(max(1, len(leaving)))
        return bool(leaving)

    def _crowd(self, closed: int) -> None:
        self.crowded += closed
        if self.now() - self._crowded_logged_at >= CROWDED_SECONDS:
            self._crowded_logged_at = self.now()
            log.warning("connections.crowded", most=self.most, closed=self.crowded)

    def left(self, connection: Served) -> None:
        """Unregister a closed connection."""
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
        """Close each connection after its current response, or after its next one if it is idle.

        A proxy may be sending a request on an idle connection, and would not retry it.
        """
        self.parting = True
        self._note_empty()
        for connection in list(self.connections):
            if not connection.idle:
                connection.close_when_idle()

    def drain(self) -> None:
        """Close idle connections now, and the others after their current response."""
        self.part()
        for connection in list(self.connections):
            connection.close_when_idle()
