"""The ledger interface of a gateway, independent of where the counts are stored.

reserve ──> Reservation                          at once, if everything is in this process
   │
   └──────> Waiter ──> ready(Reservation)        the reply arrived, or a lease was freed
                  └──> ready(ApiError)           a window is used up, or the wait timed out
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from oxlo.errors import ApiError
from oxlo.ledger.records import Settled
from oxlo.ledger.windows import Window
from oxlo.plans import Plan

if TYPE_CHECKING:
    from oxlo.ledger.slots import SlotRequest

#: (account, day, counted on it, minute, counted in it, abandoned refunds), as in a Snapshot.
AccountCounts = tuple[str, int, int, int, int, int]
#: An account's day window, minute window, and number of leases in use.
Standing = tuple[Window, Window, int]
Ready = Callable[["Reservation | ApiError"], None]


class AlreadySettledError(Exception):
    """A reservation was settled twice, which is a bug in the code that owns it."""


class Reservation:
    """An admitted call's charge: one request of a day and a minute, and a lease."""

    __slots__ = ("account", "day", "expires", "minute", "plan", "settled", "since")

    def __init__(
        self, account: str, plan: Plan, day: int, minute: int, now: float, expires: float
    ) -> None:
        #: The account charged.
        self.account = account
        self.plan = plan
        self.day = day
        self.minute = minute
        self.since = now
        #: Unix seconds at which the lease expires unless renewed.
        self.expires = expires
        self.settled = False


class Waiter:
    """A pending reservation."""

    __slots__ = ()

    def cancel(self) -> None:
        """Stop waiting without calling `ready`. No effect once `ready` was called."""
        raise NotImplementedError


class Ledger(ABC):
    """Daily, per-minute and concurrency limits of all accounts. `now` is always in unix seconds."""

    @abstractmethod
    def reserve(
        self,
        call: str,
        account: str,
        plan: Plan,
        now: float,
        ready: Ready,
        slot: "SlotRequest | None" = None,
    ) -> Reservation | Waiter:
        """Charge the day and the minute and take a lease, atomically.

        `call` is the call's id. If slots are shared between gateways, `slot` is the one the call
        needs next: on admission it is taken, or the call joins the model's queue, in the same step.
        A Waiter's `ready` is called once, later. If all of an account's leases are taken, the call
        waits in the account's queue for at most `plan.concurrency_wait`. Raises
        DailyLimitExceeded, MinuteLimitExceeded, ConcurrencyExceeded (the queue is full) or
        LimitsUnavailable.
        """

    @abstractmethod
    def renew(self, reservations: Iterable[Reservation], now: float) -> None:
        """Renew the leases of calls still in progress."""

    @abstractmethod
    def settle(
        self, reservation: Reservation, *, counted: bool, minute_counted: bool, now: float
    ) -> None:
        """Settle a call: refund what does not count, free its lease, serve the queue.

        Raises AlreadySettledError if called twice.
        """

    @abstractmethod
    def may_refund_abandoned(self, reservation: Reservation, now: float) -> bool:
        """Whether an abandoned call may be refunded; if so, uses up one of the day's refunds."""

    @abstractmethod
    def limits(self, account: str, plan: Plan, now: float) -> Standing:
        """The account's standing, as last known to this gateway."""

    @abstractmethod
    def fetch_limits(
        self, account: str, plan: Plan, now: float, then: Callable[[Standing | ApiError], None]
    ) -> None:
        """Fetch the account's current standing; `then` is called once, immediately or later."""

    @abstractmethod
    def tick(self, now: float) -> None:
        """Handle everything time-dependent; called twice a second."""

    #: Called with the change counter when another gateway announces a change to accounts or keys.
    on_change: Callable[[int], None] | None

    @abstractmethod
    def announce(self, counter: int) -> None:
        """Notify other gateways, if any, that accounts or keys have changed."""

    @abstractmethod
    def health(self) -> tuple[bool, int]:
        """Whether the counts are reachable, and how often they were not."""

    @abstractmethod
    async def open(self) -> None:
        """Prepare for use; called once, before the first call."""

    @abstractmethod
    async def close(self) -> None:
        """Finish pending work; called once, after the last call."""

    @abstractmethod
    def snapshot(self, now: float) -> tuple[AccountCounts, ...]:
        """Counts that exist only in this gateway, without calls in progress."""

    @abstractmethod
    def restore(self, counts: Iterable[AccountCounts], ended: Iterable[Settled]) -> None:
        """Restore the counts of an earlier run, and settle calls that it may have left open."""
