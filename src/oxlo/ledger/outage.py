"""Times without Valkey: calls are refused, or counted in memory, as the operator chose."""

from collections.abc import Callable
from typing import Literal

from oxlo.errors import ApiError, LimitsUnavailable
from oxlo.ledger.account import Lease
from oxlo.ledger.base import AccountCounts, Ready, Reservation, Standing, Waiter
from oxlo.ledger.memory import MemoryLedger
from oxlo.plans import Plan

WhenDown = Literal["open", "closed"]


class Outage:
    """What is answered without Valkey. `open` goes on from what was last known of each account."""

    def __init__(
        self,
        when_down: WhenDown,
        lease_seconds: float,
        known: Callable[[str], AccountCounts | None],
    ) -> None:
        """`known` tells an account's counts as Valkey last said them."""
        self.when_down = when_down
        self._known = known
        self._memory = MemoryLedger(lease_seconds=lease_seconds)
        #: Accounts whose counts memory has taken over in this outage.
        self._taken_over: set[str] = set()

    def over(self) -> None:
        """Valkey is back, and counts."""
        self._taken_over.clear()

    def reserve(
        self, call: str, account: str, plan: Plan, now: float, ready: Ready
    ) -> Reservation | Waiter:
        """As `Ledger.reserve`. Raises LimitsUnavailable where calls are refused."""
        if self.when_down == "closed":
            raise LimitsUnavailable(retry_after=2)
        return self._counting(account).reserve(call, account, plan, now, ready)

    def look(
        self, account: str, plan: Plan, now: float, told: Callable[[Standing | ApiError], None]
    ) -> None:
        """As `Ledger.look`."""
        if self.when_down == "closed":
            told(LimitsUnavailable(retry_after=2))
        else:
            told(self._counting(account).limits(account, plan, now))

    def limits(self, account: str, plan: Plan, now: float) -> Standing | None:
        """How an account stands that is counted here; None for others."""
        if account not in self._taken_over:
            return None
        return self._memory.limits(account, plan, now)

    def settle(self, lease: Lease, *, counted: bool, minute_counted: bool, now: float) -> None:
        """End a call that was admitted here."""
        self._memory.settle(lease, counted=counted, minute_counted=minute_counted, now=now)

    def may_refund_abandoned(self, lease: Reservation, now: float) -> bool:
        """As `Ledger.may_refund_abandoned`."""
        return self._memory.may_refund_abandoned(lease, now)

    def tick(self, now: float) -> None:
        """Twice a second."""
        self._memory.tick(now)

    def _counting(self, account: str) -> MemoryLedger:
        """The ledger in memory, which goes on from what was last known of the account."""
        if account not in self._taken_over:
            self._taken_over.add(account)
            counts = self._known(account)
            if counts is not None:
                self._memory.restore([counts])
        return self._memory
