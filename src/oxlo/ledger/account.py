"""One account as the ledger holds it: what it used, who holds its leases, who waits for one."""

from oxlo.ledger import refusals
from oxlo.ledger.base import AccountCounts, Ready, Reservation, Waiter
from oxlo.ledger.windows import Counts, renamed
from oxlo.plans import Plan


class Lease(Reservation):
    """A reservation that knows its account."""

    __slots__ = ("holder",)

    def __init__(self, account: "Account", plan: Plan, now: float, expires: float) -> None:
        # Not through `super`: this is done for every call.
        self.account = account.name
        self.plan = plan
        self.day = account.day
        self.minute = account.minute
        self.since = now
        self.expires = expires
        self.settled = False
        self.holder = account


class Place(Waiter):
    """A place in an account's line."""

    __slots__ = ("deadline", "holder", "plan", "ready")

    def __init__(self, account: "Account", plan: Plan, deadline: float, ready: Ready) -> None:
        self.holder = account
        self.plan = plan
        self.deadline = deadline
        self.ready = ready

    def cancel(self) -> None:
        """Leave the line; `ready` is not called. Harmless after it was."""
        self.holder.line.pop(self, None)


class Account(Counts):
    """One account: what it used, who holds its leases and who waits for one."""

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
        #: First come, first served; a dict, because anyone in it may leave at any time.
        self.line: dict[Place, None] = {}
        self.serving = False
        #: Mean time that a lease is held, for truthful waits.
        self.call_seconds = 1.0

    def follow(self, day: int, minute: int) -> bool:
        """As `Counts` says; calls under way stay charged to the windows that they are in."""
        reached_day, reached_minute = self.day, self.minute
        if not super().follow(day, minute):
            return False
        for lease in self.leases:
            lease.day = renamed(lease.day, reached_day, self.day)
            lease.minute = renamed(lease.minute, reached_minute, self.minute)
        return True

    def check(self, plan: Plan, now: float) -> None:
        """Raises DailyLimitExceeded or MinuteLimitExceeded when the open window is used up."""
        per_day, per_minute = plan.requests_per_day, plan.requests_per_minute
        if per_day is not None and self.day_used >= per_day:
            raise refusals.day_used_up(plan, self.day, now)
        if per_minute is not None and self.minute_used >= per_minute:
            raise refusals.minute_used_up(plan, self.minute, now)

    def has_lease(self, plan: Plan) -> bool:
        """Whether the plan allows one more call at this moment."""
        return plan.concurrency is None or len(self.leases) < plan.concurrency

    def idle(self, day: int) -> bool:
        """Whether its windows have passed and it holds nothing."""
        return self.day < day and not self.leases and not self.line

    def settled_counts(self) -> AccountCounts:
        """What was used, without the calls under way: whether those count is not known yet."""
        day_used, minute_used = self.day_used, self.minute_used
        for lease in self.leases:
            day_used -= lease.day == self.day
            minute_used -= lease.minute == self.minute
        return self.name, self.day, day_used, self.minute, minute_used, self.refunds
