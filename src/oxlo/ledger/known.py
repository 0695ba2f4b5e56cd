"""What a gateway last heard of an account whose counts are kept elsewhere."""

from collections.abc import Sequence
from typing import Any

from oxlo.errors import ApiError
from oxlo.ledger import refusals, scripts
from oxlo.ledger.base import AccountCounts
from oxlo.ledger.windows import Counts
from oxlo.plans import Plan


class Known(Counts):
    """An account's counts as of the last reply, and what was done since."""

    __slots__ = ("call_seconds", "epoch", "leases", "waiting")

    def __init__(self) -> None:
        super().__init__(0, 0)
        #: Which life of the counts this is; "" before anything was heard.
        self.epoch = ""
        self.leases = 0
        #: Calls in the account's line.
        self.waiting = 0
        #: Mean time that a lease is held, for truthful waits.
        self.call_seconds = 1.0

    def heard(self, said: Sequence[Any]) -> None:
        """Take over what a script answered (`standing` in account.lua)."""
        self.day, self.day_used = int(said[2]), int(said[3])
        self.minute, self.minute_used = int(said[4]), int(said[5])
        self.refunds = int(said[6])
        self.epoch = said[7].decode() if isinstance(said[7], bytes) else str(said[7])
        self.leases, self.waiting = int(said[8]), int(said[9])

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
