"""Admission requests to the Valkey that holds the limits, and the resulting reservations."""

from typing import Any

from oxlo.errors import ApiError
from oxlo.ledger.base import Ready, Reservation, Waiter
from oxlo.ledger.slots import SlotRequest
from oxlo.plans import Plan


class Charged(Reservation):
    """A reservation recorded in Valkey."""

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
        # Does not call `super().__init__`: this runs for every call.
        self.account = account
        self.plan = plan
        self.day = day
        self.minute = minute
        self.since = now
        self.expires = expires
        self.settled = False
        self.call = call
        self.charge = charge
        #: Whether it consumes one of the day's refunds.
        self.refund = False


class PendingCall(Waiter):
    """A pending request for admission."""

    __slots__ = (
        "account", "admitter", "asked_at", "call", "deadline", "inner", "over", "plan", "ready",
        "slot", "standing",
    )  # fmt: skip

    def __init__(
        self,
        admitter: "Admitter",
        call: str,
        account: str,
        plan: Plan,
        ready: Ready,
        now: float,
        slot: SlotRequest | None = None,
    ) -> None:
        self.admitter = admitter
        self.call = call
        self.account = account
        self.plan = plan
        self.ready = ready
        self.asked_at = now
        self.deadline = now + plan.concurrency_wait
        #: Whether it is in the account's queue.
        self.standing = False
        self.over = False
        #: The slot requested in the same step, until Valkey has replied.
        self.slot = slot
        #: Its position in the in-memory ledger's queue while Valkey is unreachable.
        self.inner: Waiter | None = None

    def cancel(self) -> None:
        """Leave the queue, or give back a reservation made in the meantime."""
        if self.inner is not None:
            self.inner.cancel()
        if not self.over:
            self.over = True
            self.admitter.abandon(self)

    def replied(self, reply: Any) -> None:
        """Handle Valkey's reply; not a list if there was none."""
        if not self.over:
            self.admitter.answered(self, reply)
        elif self.slot is not None and isinstance(reply, list) and len(reply) > 10:
            self.slot.replied(reply[10:])  # the slot was granted after all: release it

    def end(self, got: Reservation | ApiError) -> None:
        """Deliver the result to the waiting caller."""
        self.over = True
        self.admitter.over(self)
        self.ready(got)


class Admitter:
    """Admits calls, as their pending requests see it; see `Admissions`."""

    def ask(self, pending: PendingCall) -> None:
        """Send the request, for the first time or again; `answered` is called with the reply."""
        raise NotImplementedError

    def answered(self, pending: PendingCall, reply: Any) -> None:
        """Handle the reply to a request; `reply` is not a list if there was none."""
        raise NotImplementedError

    def admitted(self, pending: PendingCall, charge: bytes, now: float) -> None:
        """Admit a call that got its lease; `charge` is `DAY MINUTE EPOCH`."""
        raise NotImplementedError

    def timed_out(self, pending: PendingCall) -> None:
        """Refuse a call that waited in the queue for as long as its plan allows."""
        raise NotImplementedError

    def abandon(self, pending: PendingCall) -> None:
        """Drop a call that no longer waits, and give back anything granted in the meantime."""
        raise NotImplementedError

    def over(self, pending: PendingCall) -> None:
        """Forget a request that has its result."""
        raise NotImplementedError
