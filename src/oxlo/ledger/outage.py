"""Operation while Valkey is unreachable: refuse calls or count in memory, as configured."""

from collections.abc import Callable
from typing import Literal

from oxlo.errors import ApiError, LimitsUnavailable
from oxlo.ledger.account import Lease
from oxlo.ledger.base import AccountCounts, Ready, Reservation, Standing, Waiter
from oxlo.ledger.memory import MemoryLedger
from oxlo.plans import Plan

WhenDown = Literal["open", "closed"]


class Outage:
    """Replaces Valkey during an outage. `open` continues from each account's last known counts."""

    def __init__(
        self,
        when_down: WhenDown,
        lease_seconds: float,
        known: Callable[[str], AccountCounts | None],
    ) -> None:
        """`known` returns an account's last known counts."""
        self.when_down = when_down
        self._known = known
        self._memory = MemoryLedger(lease_seconds=lease_seconds)
        #: Accounts counted in memory during this outage.
        self._taken_over: set[str] = set()

    def over(self) -> None:
        """End the outage: Valkey counts again."""
        self._taken_over.clear()

    def reserve(
        self, call: str, account: str, plan: Plan, now: float, ready: Ready
    ) -> Reservation | Waiter:
        """See `Ledger.reserve`. Raises LimitsUnavailable if calls are refused during an outage."""
        if self.when_down == "closed":
            raise LimitsUnavailable(retry_after=2)
        return self._counting(account).reserve(call, account, plan, now, ready)

    def fetch_limits(
        self, account: str, plan: Plan, now: float, then: Callable[[Standing | ApiError], None]
    ) -> None:
        """See `Ledger.fetch_limits`."""
        if self.when_down == "closed":
            then(LimitsUnavailable(retry_after=2))
        else:
            then(self._counting(account).limits(account, plan, now))

    def limits(self, account: str, plan: Plan, now: float) -> Standing | None:
        """The standing of an account counted in memory; None for others."""
        if account not in self._taken_over:
            return None
        return self._memory.limits(account, plan, now)

    def settle(self, lease: Lease, *, counted: bool, minute_counted: bool, now: float) -> None:
        """Settle a call that was admitted from memory."""
        self._memory.settle(lease, counted=counted, minute_counted=minute_counted, now=now)

    def may_refund_abandoned(self, lease: Reservation, now: float) -> bool:
        """See `Ledger.may_refund_abandoned`."""
        return self._memory.may_refund_abandoned(lease, now)

    def tick(self, now: float) -> None:
        """Run the in-memory ledger's tick; called twice a second."""
        self._memory.tick(now)

    def _counting(self, account: str) -> MemoryLedger:
        """The in-memory ledger, seeded with the account's last known counts."""
        if account not in self._taken_over:
            self._taken_over.add(account)
            counts = self._known(account)
            if counts is not None:
                self._memory.restore([counts])
        return self._memory
