"""One account in the in-memory ledger: its usage, its leases and its waiting queue."""

from oxlo.ledger import refusals
from oxlo.ledger.base import AccountCounts, Ready, Reservation, Waiter
from oxlo.ledger.windows import Counts, renamed
from oxlo.plans import Plan


class Lease(Reservation):
    """A reservation with a reference to its account."""

    __slots__ = ("holder",)

    def __init__(self, account: "Account", plan: Plan, now: float, expires: float) -> None:
        # Does not call `super().__init__`: this runs for every call.
        self.account = account.name
        self.plan = plan
        self.day = account.day
        self.minute = account.minute
        self.since = now
        self.expires = expires
        self.settled = False
        self.holder = account


class Place(Waiter):
    """A position in an account's queue."""

    __slots__ = ("deadline", "holder", "plan", "ready")

    def __init__(self, account: "Account", plan: Plan, deadline: float, ready: Ready) -> None:
        self.holder = account
        self.plan = plan
        self.deadline = deadline
        self.ready = ready

    def cancel(self) -> None:
        """Leave the queue without calling `ready`. No effect once `ready` was called."""
        self.holder.line.pop(self, None)


class Account(Counts):
    """One account: its usage, the leases it holds and the calls that wait for one."""

    __slots__ = ("call_seconds", "leases", "line", "name", "serving")

    def __init__(
        self,
        name: str,
        day: int,
        minute: int,
        day_used: int = 0,
        minute_used: int = 0,
        refunds: int = 0,
    ) -> None:
        super().__init__(day, minute, day_used, minute_used, refunds)
        self.name = name
        self.leases: set[Lease] = set()
        #: FIFO; a dict, because a waiter can leave from any position.
        self.line: dict[Place, None] = {}
        self.serving = False
        #: Mean time a lease is held, to estimate waiting times.
        self.call_seconds = 1.0

    def follow(self, day: int, minute: int) -> bool:
        """See `Counts.follow`; calls in progress stay charged to their original windows."""
        reached_day, reached_minute = self.day, self.minute
        if not super().follow(day, minute):
            return False
        for lease in self.leases:
            lease.day = renamed(lease.day, reached_day, self.day)
            lease.minute = renamed(lease.minute, reached_minute, self.minute)
        return True

    def check(self, plan: Plan, now: float) -> None:
        """Raise DailyLimitExceeded or MinuteLimitExceeded if the current window is used up."""
        per_day, per_minute = plan.requests_per_day, plan.requests_per_minute
        if per_day is not None and self.day_used >= per_day:
            raise refusals.day_used_up(plan, self.day, now)
        if per_minute is not None and self.minute_used >= per_minute:
            raise refusals.minute_used_up(plan, self.minute, now)

    def has_lease(self, plan: Plan) -> bool:
        """Whether the plan's concurrency allows one more call right now."""
        return plan.concurrency is None or len(self.leases) < plan.concurrency

    def idle(self, day: int) -> bool:
        """Whether its windows have passed and it holds no leases."""
        return self.day < day and not self.leases and not self.line

    def settled_counts(self) -> AccountCounts:
        """Usage without calls in progress, because it is not known yet whether those count."""
        day_used, minute_used = self.day_used, self.minute_used
        for lease in self.leases:
            day_used -= lease.day == self.day
            minute_used -= lease.minute == self.minute
        return self.name, self.day, day_used, self.minute, minute_used, self.refunds
