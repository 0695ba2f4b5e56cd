"""A call between a gateway and the Valkey that keeps its limits: asked for, and admitted."""

from typing import Any

from oxlo.errors import ApiError
from oxlo.ledger.base import Ledger, Ready, Reservation, Waiter
from oxlo.ledger.slots import Asked
from oxlo.plans import Plan


class Charged(Reservation):
    """A reservation in Valkey."""

    __slots__ = ("call", "charge", "refund")

    def __init__(
        self,
        call: str,
        account: str,
        plan: Plan,
        day: int,
        minute: int,
        charge: bytes,
        now: float,
        expires: float,
    ) -> None:
        """`charge` is `DAY MINUTE EPOCH`."""
        # Not through `super`: this is done for every call.
        self.account = account
        self.plan = plan
        self.day = day
        self.minute = minute
        self.since = now
        self.expires = expires
        self.settled = False
        self.call = call
        self.charge = charge
        #: Whether it uses up one of the day's refunds.
        self.refund = False


class Asking(Waiter):
    """A call that was not answered yet."""

    __slots__ = (
        "account", "asked_at", "call", "deadline", "inner", "ledger", "over", "plan", "ready",
        "slot", "standing",
    )  # fmt: skip

    def __init__(
        self,
        ledger: "AskedLedger",
        call: str,
        account: str,
        plan: Plan,
        ready: Ready,
        now: float,
        slot: Asked | None = None,
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
        #: The slot that is asked for in the same step, until that is answered.
        self.slot = slot
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
        elif self.slot is not None and isinstance(said, list) and len(said) > 10:
            self.slot.replied(said[10:])  # it was given after all: it goes back

    def end(self, got: Reservation | ApiError) -> None:
        """Tell who waits."""
        self.over = True
        self.ledger.over(self)
        self.ready(got)


class AskedLedger(Ledger):
    """A ledger that asks elsewhere: what its calls tell it. `SharedLedger` (`ledger/shared.py`)."""

    def ask(self, asking: Asking) -> None:
        """Ask for a call, again where it was asked for before; `answered` follows."""
        raise NotImplementedError

    def answered(self, asking: Asking, said: Any) -> None:
        """What was said about a call; no list: nothing was."""
        raise NotImplementedError

    def admitted(self, asking: Asking, charge: bytes) -> None:
        """A call has its lease, and was charged so: `DAY MINUTE EPOCH`."""
        raise NotImplementedError

    def waited_in_vain(self, asking: Asking) -> None:
        """A call stood in line for as long as its plan allows."""
        raise NotImplementedError

    def forsake(self, asking: Asking) -> None:
        """A call waits no longer; what it was given meanwhile is given back."""
        raise NotImplementedError

    def over(self, asking: Asking) -> None:
        """A call has its answer."""
        raise NotImplementedError
