"""A call between a gateway and the Valkey that keeps its limits: asked for, and admitted."""

from typing import TYPE_CHECKING, Any

from oxlo.errors import ApiError
from oxlo.ledger.base import Ready, Reservation, Waiter
from oxlo.plans import Plan

if TYPE_CHECKING:
    from oxlo.ledger.shared import SharedLedger


class Charged(Reservation):
    """A reservation in Valkey."""

    __slots__ = ("call", "charge", "refund")

    def __init__(
        self, call: str, account: str, plan: Plan, charge: bytes, now: float, expires: float
    ) -> None:
        """`charge` is `DAY MINUTE EPOCH`."""
        day, minute, _ = charge.split()
        super().__init__(account, plan, int(day), int(minute), now, expires)
        self.call = call
        self.charge = charge
        #: Whether it uses up one of the day's refunds.
        self.refund = False


class Asking(Waiter):
    """A call that was not answered yet."""

    __slots__ = (
        "account", "asked_at", "call", "deadline", "inner", "ledger", "over", "plan", "ready",
        "standing",
    )  # fmt: skip

    def __init__(
        self, ledger: "SharedLedger", call: str, account: str, plan: Plan, ready: Ready, now: float
    ) -> None:
        self.ledger = ledger
        self.call = call
        self.account = account
        self.plan = plan
        self.ready = ready
        self.asked_at = now
        self.deadline = now + plan.concurrency_wait
        #: Whether it stands in the account's line.
        self.standing = False
        self.over = False
        #: Its place in the line of the ledger in memory, while Valkey is away.
        self.inner: Waiter | None = None

    def cancel(self) -> None:
        """Leave the line, or give back what was reserved meanwhile."""
        if self.inner is not None:
            self.inner.cancel()
        if not self.over:
            self.over = True
            self.ledger.forsake(self)

    def replied(self, said: Any) -> None:
        """Valkey has answered, or will not."""
        if not self.over:
            self.ledger.answered(self, said)

    def end(self, got: Reservation | ApiError) -> None:
        """Tell who waits."""
        self.over = True
        self.ledger.over(self)
        self.ready(got)
