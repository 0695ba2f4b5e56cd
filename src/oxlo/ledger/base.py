"""What a gateway knows of a ledger, wherever the counts are kept.

reserve ──> Reservation                          at once, where everything is in this process
   │
   └──────> Waiter ──> ready(Reservation)        the answer is on its way, or a lease was freed
                  └──> ready(ApiError)           a window is used up, or the wait is over
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from oxlo.errors import ApiError
from oxlo.ledger.records import Settled
from oxlo.ledger.windows import Window
from oxlo.plans import Plan

if TYPE_CHECKING:
    from oxlo.ledger.slots import Asked

#: (account, day, counted on it, minute, counted in it, abandoned refunds), as in a Snapshot.
AccountCounts = tuple[str, int, int, int, int, int]
#: How an account stands: its day, its minute, and the leases in use.
Standing = tuple[Window, Window, int]
Ready = Callable[["Reservation | ApiError"], None]


class AlreadySettledError(Exception):
    """A reservation was settled twice: its owner lost track of it."""


class Reservation:
    """What one admitted call holds: a request of a day and a minute, and a lease."""

    __slots__ = ("account", "day", "expires", "minute", "plan", "settled", "since")

    def __init__(
        self, account: str, plan: Plan, day: int, minute: int, now: float, expires: float
    ) -> None:
        #: The account that is charged.
        self.account = account
        self.plan = plan
        self.day = day
        self.minute = minute
        self.since = now
        #: Unix seconds at which the lease ends unless its owner renews it.
        self.expires = expires
        self.settled = False


class Waiter:
    """Somebody who was not answered at once."""

    __slots__ = ()

    def cancel(self) -> None:
        """Wait no longer; `ready` is not called. Harmless after it was."""
        raise NotImplementedError


class Ledger(ABC):
    """Day, minute and concurrency of every account. `now` is always in unix seconds."""

    @abstractmethod
    def reserve(
        self,
        call: str,
        account: str,
        plan: Plan,
        now: float,
        ready: Ready,
        slot: "Asked | None" = None,
    ) -> Reservation | Waiter:
        """Charge the day and the minute and take a lease: all of them or none.

        Where slots are shared, `slot` is the one that the call wants next: once it is admitted it
        has that as well, or stands in the model's line, in the same step.
        `call` is the call's id. A Waiter's `ready` is called once, later. An account whose leases
        are all taken waits in its own line, for at most `plan.concurrency_wait`. Raises
        DailyLimitExceeded, MinuteLimitExceeded, ConcurrencyExceeded (its line is full) or
        LimitsUnavailable.
        """

    @abstractmethod
    def renew(self, reservations: Iterable[Reservation], now: float) -> None:
        """Their owner lives: their leases go on."""

    @abstractmethod
    def settle(
        self, reservation: Reservation, *, counted: bool, minute_counted: bool, now: float
    ) -> None:
        """End a call: give back what does not count, free its lease, serve the line.

        Raises AlreadySettledError the second time.
        """

    @abstractmethod
    def may_refund_abandoned(self, reservation: Reservation, now: float) -> bool:
        """Whether a call that its client left may be refunded; uses up one of the day's refunds."""

    @abstractmethod
    def limits(self, account: str, plan: Plan, now: float) -> Standing:
        """How an account stands, as far as this gateway knows."""

    @abstractmethod
    def look(
        self, account: str, plan: Plan, now: float, told: Callable[[Standing | ApiError], None]
    ) -> None:
        """Tell how an account stands now; `told` is called at once or later, once."""

    @abstractmethod
    def tick(self, now: float) -> None:
        """Twice a second: whatever depends on the passing of time."""

    #: Called with the counter of changes to accounts and keys, where another gateway tells of one.
    on_change: Callable[[int], None] | None

    @abstractmethod
    def announce(self, counter: int) -> None:
        """Tell other gateways, if there are any, that accounts or keys have changed."""

    @abstractmethod
    def health(self) -> tuple[bool, int]:
        """Whether the counts can be asked for, and how often that failed."""

    @abstractmethod
    async def open(self) -> None:
        """Get ready; called once, before the first call."""

    @abstractmethod
    async def close(self) -> None:
        """Finish what is pending; called once, after the last call."""

    @abstractmethod
    def snapshot(self, now: float) -> tuple[AccountCounts, ...]:
        """Counts that only this gateway has, without the calls under way."""

    @abstractmethod
    def restore(self, counts: Iterable[AccountCounts], ended: Iterable[Settled]) -> None:
        """Take over what an earlier run left: its counts, and the calls that it may still hold."""
