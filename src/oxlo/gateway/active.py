"""The interface of a call in progress to the parts of a gateway that schedule and record it."""

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
    """The stages of a call."""

    ADMITTING = 0
    UNPACKING = 1
    COUNTING = 2
    PREPARING = 3
    QUEUED = 4
    SENT = 5
    KEEPING = 6
    DONE = 7


class ActiveCall:
    """The state of a call in progress and the events it handles; `Call` implements them."""

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
        #: Whether the response is streamed; and whether as server-sent events, which allow
        #: comments.
        self.stream = self.sse = False
        self.reservation: Reservation | None = None
        #: The admission record as written to the journal.
        self.admitted: Admitted | None = None
        #: Input for the router and the queue, set once the call is admitted.
        self.demand: Demand = NOTHING
        self.queued_at = self.sent_at = 0.0
        self.attempt: Attempt | None = None
        #: The replica that failed on this call and is not tried again.
        self.avoid: Backend | None = None
        self.usage = NO_USAGE

    @property
    def tried(self) -> str:
        """Models that did not answer, and why; "" if none was skipped."""
        raise NotImplementedError

    def windows(self) -> tuple[Window, Window]:
        """The account's day and minute windows: current, or as of the call's end."""
        raise NotImplementedError

    # Slots.

    @property
    def priority(self) -> int:
        """The plan's priority, as used by the queue in Valkey; higher goes first."""
        raise NotImplementedError

    @property
    def may_wait(self) -> bool:
        """Whether it may join the queue if no slot is free."""
        raise NotImplementedError

    def take(self, slot: Slot) -> None:
        """Handle an acquired slot: record the admission, then send the request."""
        raise NotImplementedError

    def wait(self) -> None:
        """Join the queue as all slots are taken, unless the wait would exceed its limit."""
        raise NotImplementedError

    def full(self) -> None:
        """Fail: no slot is free and the queue is full."""
        raise NotImplementedError

    # Time.

    def tick(self, clock: float) -> None:
        """Handle held heads, comments and stalled engines; called twice a second."""
        raise NotImplementedError

    def expired(self) -> None:
        """Handle a queue timeout."""
        raise NotImplementedError

    def shut(self) -> None:
        """Abort: the server stops and the call has not ended in time."""
        raise NotImplementedError
