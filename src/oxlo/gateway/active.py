"""A call under way, as the parts of a gateway see it that serve it and write it down."""

from enum import IntEnum
from typing import Final

from oxlo.engines.dialect import Usage
from oxlo.fleet.router import Demand
from oxlo.gateway.attempt import Attempt
from oxlo.gateway.backends import NOTHING, Backend, Slot
from oxlo.gateway.endpoints import Endpoint
from oxlo.gateway.exchange import Exchange
from oxlo.ledger.base import Reservation
from oxlo.ledger.records import Admitted
from oxlo.ledger.windows import Window
from oxlo.plans import Plan
from oxlo.plans.caller import Caller

NO_USAGE: Final = Usage()


class Stage(IntEnum):
    """Where a call is in its life."""

    ADMITTING = 0
    UNPACKING = 1
    COUNTING = 2
    PREPARING = 3
    QUEUED = 4
    SENT = 5
    KEEPING = 6
    DONE = 7


class ActiveCall:
    """What is known of a call, and what it can be told. `Call` (`gateway/call.py`) does it."""

    __slots__ = (
        "admitted", "attempt", "avoid", "caller", "demand", "endpoint", "exchange", "id",
        "model_id", "plan", "queued_at", "reservation", "sent_at", "sse", "stage", "stream",
        "usage",
    )  # fmt: skip

    def __init__(self, exchange: Exchange, endpoint: Endpoint) -> None:
        self.exchange = exchange
        self.endpoint = endpoint
        self.id = exchange.id.decode()
        self.stage = Stage.ADMITTING
        self.caller: Caller
        self.plan: Plan
        self.model_id = ""
        #: Whether the reply is sent while it is made; and whether as events, which have comments.
        self.stream = self.sse = False
        self.reservation: Reservation | None = None
        #: The admission as it stands in the journal.
        self.admitted: Admitted | None = None
        #: What the router and the queue go by, once the call is admitted.
        self.demand: Demand = NOTHING
        self.queued_at = self.sent_at = 0.0
        self.attempt: Attempt | None = None
        #: The replica that failed at it: no slot of it is wanted again.
        self.avoid: Backend | None = None
        self.usage = NO_USAGE

    @property
    def tried(self) -> str:
        """Models that did not answer, and why; "" where none was passed over."""
        raise NotImplementedError

    def windows(self) -> tuple[Window, Window]:
        """The account's day and minute: as they stand, and from the end on as they stood then."""
        raise NotImplementedError

    # Slots.

    @property
    def priority(self) -> int:
        """Its plan's, as the line in Valkey has it; higher goes first."""
        raise NotImplementedError

    @property
    def may_wait(self) -> bool:
        """Whether it stands in the line when no slot is free."""
        raise NotImplementedError

    def take(self, slot: Slot) -> None:
        """A slot is its own: it is written down, then sent."""
        raise NotImplementedError

    def wait(self) -> None:
        """Every slot is taken: it stands in the line, unless its turn cannot come in time."""
        raise NotImplementedError

    def full(self) -> None:
        """No slot is free, and nobody else may wait for one."""
        raise NotImplementedError

    # Time.

    def tick(self, clock: float) -> None:
        """Called twice a second: heads held long enough, comments, stalled engines."""
        raise NotImplementedError

    def expired(self) -> None:
        """The wait for a slot is over."""
        raise NotImplementedError

    def shut(self) -> None:
        """The server stops and this call has not ended in time."""
        raise NotImplementedError
