"""The last known state of accounts whose counts are stored in Valkey."""

from typing import Any, Final

from oxlo.errors import ApiError
from oxlo.ledger import refusals, scripts
from oxlo.ledger.base import AccountCounts, Standing
from oxlo.ledger.windows import Counts, Window, day_of, minute_of
from oxlo.plans import Plan

#: Accounts cached for rate-limit headers.
_MOST: Final = 100_000
#: Weight of the newest call in an account's mean call duration.
_NEWEST: Final = 0.2


class CachedAccount(Counts):
    """An account's counts as of the last reply, adjusted by what was done since."""

    __slots__ = ("call_seconds", "epoch", "leases", "waiting")

    def __init__(self) -> None:
        super().__init__(0, 0)
        #: The epoch of the counts in Valkey; b"" before the first reply.
        self.epoch = b""
        self.leases = 0
        #: Calls in the account's queue.
        self.waiting = 0
        #: Mean time a lease is held, to estimate waiting times.
        self.call_seconds = 1.0

    def update(self, reply: list[Any]) -> None:
        """Update from a script's reply (`standing` in account.lua)."""
        self.day = reply[2]
        self.day_used = reply[3]
        self.minute = reply[4]
        self.minute_used = reply[5]
        self.refunds = reply[6]
        self.epoch = reply[7]
        self.leases = reply[8]
        self.waiting = reply[9]

    def refusal(self, code: int, plan: Plan, now: float) -> ApiError:
        """The error for a script's refusal."""
        if code == scripts.DAY_USED:
            return refusals.day_used_up(plan, self.day, now)
        if code == scripts.MINUTE_USED:
            return refusals.minute_used_up(plan, self.minute, now)
        return refusals.all_leases_taken(plan, self.waiting, self.call_seconds)

    def counts(self, account: str) -> AccountCounts:
        """The counts in the format of a Snapshot."""
        return (account, self.day, self.day_used, self.minute, self.minute_used, self.refunds)

    def ended(self, seconds: float) -> None:
        """Record that a lease was freed after being held for this long."""
        self.leases = max(0, self.leases - 1)
        self.call_seconds += (max(0.0, seconds) - self.call_seconds) * _NEWEST


class AccountCache:
    """A bounded cache of account states."""

    def __init__(self) -> None:
        self._accounts: dict[str, CachedAccount] = {}

    def of(self, account: str) -> CachedAccount:
        """The cached state of an account; an empty one for a new account."""
        known = self._accounts.get(account)
        if known is None:
            if len(self._accounts) >= _MOST:
                del self._accounts[next(iter(self._accounts))]
            known = self._accounts[account] = CachedAccount()
        return known

    def update(self, account: str, reply: list[Any]) -> CachedAccount:
        """Update an account from a script's reply."""
        known = self.of(account)
        if reply[0] != scripts.NOT_COUNTED:
            known.update(reply)
        return known

    def counts(self, account: str) -> AccountCounts | None:
        """An account's last known counts; None if it is unknown."""
        known = self._accounts.get(account)
        return None if known is None else known.counts(account)

    def standing(self, account: str, plan: Plan, now: float) -> Standing:
        """The account's standing as of the last reply; without limits if there was none yet."""
        known = self._accounts.get(account)
        if known is None:
            return Window(None, 0, 0), Window(None, 0, 0), 0
        known.advance(day_of(now), minute_of(now))
        day, minute = known.windows(plan.requests_per_day, plan.requests_per_minute, now)
        return day, minute, known.leases
