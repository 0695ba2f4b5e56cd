"""What a gateway last heard of accounts whose counts are kept elsewhere."""

from typing import Any, Final

from oxlo.errors import ApiError
from oxlo.ledger import refusals, scripts
from oxlo.ledger.base import AccountCounts, Standing
from oxlo.ledger.windows import Counts, Window, day_of, minute_of
from oxlo.plans import Plan

#: Accounts remembered for headers.
_MOST: Final = 100_000
#: Weight of the newest call in an account's mean call time.
_NEWEST: Final = 0.2


class Known(Counts):
    """An account's counts as of the last reply, and what was done since."""

    __slots__ = ("call_seconds", "epoch", "leases", "waiting")

    def __init__(self) -> None:
        super().__init__(0, 0)
        #: Which life of the counts this is; b"" before anything was heard.
        self.epoch = b""
        self.leases = 0
        #: Calls in the account's line.
        self.waiting = 0
        #: Mean time that a lease is held, for truthful waits.
        self.call_seconds = 1.0

    def heard(self, said: list[Any]) -> None:
        """Take over what a script answered (`standing` in account.lua)."""
        self.day = said[2]
        self.day_used = said[3]
        self.minute = said[4]
        self.minute_used = said[5]
        self.refunds = said[6]
        self.epoch = said[7]
        self.leases = said[8]
        self.waiting = said[9]

    def refusal(self, code: int, plan: Plan, now: float) -> ApiError:
        """The error for what a script answered."""
        if code == scripts.DAY_USED:
            return refusals.day_used_up(plan, self.day, now)
        if code == scripts.MINUTE_USED:
            return refusals.minute_used_up(plan, self.minute, now)
        return refusals.all_leases_taken(plan, self.waiting, self.call_seconds)

    def counts(self, account: str) -> AccountCounts:
        """As a Snapshot holds them."""
        return (account, self.day, self.day_used, self.minute, self.minute_used, self.refunds)

    def ended(self, seconds: float) -> None:
        """A lease was held for so long, and is free."""
        self.leases = max(0, self.leases - 1)
        self.call_seconds += (max(0.0, seconds) - self.call_seconds) * _NEWEST


class KnownAccounts:
    """The accounts that were heard of, up to a number."""

    def __init__(self) -> None:
        self._accounts: dict[str, Known] = {}

    def of(self, account: str) -> Known:
        """What is known of an account; nothing yet, for a new one."""
        known = self._accounts.get(account)
        if known is None:
            if len(self._accounts) >= _MOST:
                del self._accounts[next(iter(self._accounts))]
            known = self._accounts[account] = Known()
        return known

    def heard(self, account: str, said: list[Any]) -> Known:
        """Take over what a script said of an account."""
        known = self.of(account)
        if said[0] != scripts.NOT_COUNTED:
            known.heard(said)
        return known

    def counts(self, account: str) -> AccountCounts | None:
        """An account's counts as they were last said; None for a stranger."""
        known = self._accounts.get(account)
        return None if known is None else known.counts(account)

    def standing(self, account: str, plan: Plan, now: float) -> Standing:
        """How an account stands as of the last reply; without limits when there was none yet."""
        known = self._accounts.get(account)
        if known is None:
            return Window(None, 0, 0), Window(None, 0, 0), 0
        known.advance(day_of(now), minute_of(now))
        day, minute = known.windows(plan.requests_per_day, plan.requests_per_minute, now)
        return day, minute, known.leases
