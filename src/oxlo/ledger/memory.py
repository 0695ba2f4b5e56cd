"""The in-memory ledger of a single gateway, with exact counts and leases.

Everything runs in one thread and nothing awaits, so each step is atomic.
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from oxlo.errors import ApiError
from oxlo.ledger import refusals
from oxlo.ledger.account import Account, Lease, Place
from oxlo.ledger.base import (
    AccountCounts,
    AlreadySettledError,
    Ledger,
    Ready,
    Reservation,
    Standing,
    Waiter,
)
from oxlo.ledger.records import Settled
from oxlo.ledger.windows import DAY, MINUTE, day_of, minute_of
from oxlo.plans import Plan

if TYPE_CHECKING:
    from oxlo.ledger.slots import SlotRequest

#: Accounts examined per tick, so that a tick stays short regardless of their number.
_SWEEP = 500
#: Weight of the newest call in an account's mean call duration.
_NEWEST: Final = 0.2


class MemoryLedger(Ledger):
    """Daily, per-minute and concurrency limits of every account, for one gateway."""

    def __init__(self, *, lease_seconds: float = 30.0) -> None:
        self.on_change = None
        self._lease_seconds = lease_seconds
        self._accounts: dict[str, Account] = {}
        self._lines: dict[Account, None] = {}
        #: Account names in the order in which ticks examine them.
        self._round: deque[str] = deque()
        #: The earliest windows of a new account, because accounts with earlier ones were forgotten.
        self._first_day = self._first_minute = 0

    def __len__(self) -> int:
        return len(self._accounts)

    def reserve(
        self,
        call: str,
        account: str,
        plan: Plan,
        now: float,
        ready: Ready,
        slot: "SlotRequest | None" = None,
    ) -> Reservation | Waiter:
        """See `Ledger.reserve`; a Waiter is a position in the account's queue."""
        held = self._at(account, now)
        held.check(plan, now)
        if held.line or not held.has_lease(plan):
            return self._stand(held, plan, now, ready)
        return self._charge(held, plan, now)

    def _stand(self, held: Account, plan: Plan, now: float, ready: Ready) -> Place:
        """Put a call in the queue; `ready` is called from `settle` or `tick`."""
        if len(held.line) >= refusals.line_limit(plan):
            raise self._too_many(held, plan)
        place = Place(held, plan, now + plan.concurrency_wait, ready)
        held.line[place] = None
        self._lines[held] = None
        return place

    def renew(self, reservations: Iterable[Reservation], now: float) -> None:
        """Extend the leases of calls in progress by `lease_seconds`."""
        expires = now + self._lease_seconds
        for reservation in reservations:
            reservation.expires = expires

    def settle(
        self, reservation: Reservation, *, counted: bool, minute_counted: bool, now: float
    ) -> None:
        """Settle a call: refund what does not count, free its lease, serve the queue.

        Raises AlreadySettledError if called twice.
        """
        if reservation.settled:
            raise AlreadySettledError(reservation.account)
        assert isinstance(reservation, Lease)
        reservation.settled = True
        held = reservation.holder
        held.give_back(
            reservation.day, reservation.minute, counted=counted, minute_counted=minute_counted
        )
        held.leases.discard(reservation)
        held.call_seconds += (max(0.0, now - reservation.since) - held.call_seconds) * _NEWEST
        if held.line:
            self._serve(held, now)

    def may_refund_abandoned(self, reservation: Reservation, now: float) -> bool:
        """Whether an abandoned call may be refunded; if so, uses up one of the day's refunds."""
        assert isinstance(reservation, Lease)
        held = reservation.holder
        held.follow(day_of(now), minute_of(now))
        if held.refunds >= reservation.plan.abandoned_refunds:
            return False
        held.refunds += 1
        return True

    def limits(self, account: str, plan: Plan, now: float) -> Standing:
        """See `Ledger.limits`; the values are exact here."""
        held = self._at(account, now)
        day, minute = held.windows(plan.requests_per_day, plan.requests_per_minute, now)
        return day, minute, len(held.leases)

    def fetch_limits(
        self, account: str, plan: Plan, now: float, then: Callable[[Standing | ApiError], None]
    ) -> None:
        """Call `then` immediately."""
        then(self.limits(account, plan, now))

    def tick(self, now: float) -> None:
        """Time out waiting calls, drop expired leases and idle accounts; called twice a second."""
        for held in list(self._lines):
            self._expire_leases(held, now)
            self._expire_waiters(held, now)
            self._serve(held, now)
            if not held.line:
                del self._lines[held]
        for _ in range(min(_SWEEP, len(self._round))):
            self._sweep(self._round.popleft(), now)

    def announce(self, counter: int) -> None:
        """Do nothing: there are no other gateways."""

    def health(self) -> tuple[bool, int]:
        """Always healthy: memory does not fail."""
        return True, 0

    async def open(self) -> None:
        """Do nothing: no preparation is needed."""

    async def close(self) -> None:
        """Do nothing: no work is pending."""

    def snapshot(self, now: float) -> tuple[AccountCounts, ...]:
        """Every account's counts without calls in progress, which a journal lists separately."""
        day = day_of(now)
        return tuple(held.settled_counts() for held in self._accounts.values() if held.day >= day)

    def restore(self, counts: Iterable[AccountCounts], ended: Iterable[Settled] = ()) -> None:
        """Restore the counts of an earlier run; its leases were lost with its memory."""
        for name, day, day_used, minute, minute_used, refunds in counts:
            self._add(Account(name, day, minute, day_used, minute_used, refunds))

    def _at(self, name: str, now: float) -> Account:
        """The account, with the windows of `now` open."""
        day, minute = int(now // DAY), int(now // MINUTE)
        held = self._accounts.get(name)
        if held is None:
            held = self._add(Account(name, self._first_day, self._first_minute))
            held.follow(day, minute)
        elif minute != held.minute:
            held.follow(day, minute)
        return held

    def _add(self, held: Account) -> Account:
        if held.name not in self._accounts:
            self._round.append(held.name)
        self._accounts[held.name] = held
        return held

    def _charge(self, held: Account, plan: Plan, now: float) -> Lease:
        held.day_used += 1
        held.minute_used += 1
        reservation = Lease(held, plan, now, now + self._lease_seconds)
        held.leases.add(reservation)
        return reservation

    def _serve(self, held: Account, now: float) -> None:
        """Give free leases to the queue. The outer loop handles calls that settle immediately."""
        if held.serving:
            return
        held.serving = True
        try:
            while held.line and held.has_lease((waiter := next(iter(held.line))).plan):
                del held.line[waiter]
                waiter.ready(self._reserve_or_refuse(held, waiter.plan, now))
        finally:
            held.serving = False

    def _reserve_or_refuse(self, held: Account, plan: Plan, now: float) -> Reservation | ApiError:
        held.follow(day_of(now), minute_of(now))
        try:
            held.check(plan, now)
        except ApiError as error:
            return error
        return self._charge(held, plan, now)

    def _expire_waiters(self, held: Account, now: float) -> None:
        for waiter in held.line:  # setting the clock back must not prolong a wait
            waiter.deadline = min(waiter.deadline, now + waiter.plan.concurrency_wait)
        for waiter in [w for w in held.line if w.deadline <= now]:
            if waiter in held.line:  # the `ready` of an earlier waiter may have cancelled it
                del held.line[waiter]
                waiter.ready(self._too_many(held, waiter.plan))

    def _expire_leases(self, held: Account, now: float) -> None:
        for lease in [lease for lease in held.leases if lease.expires <= now]:
            held.leases.discard(lease)

    def _sweep(self, name: str, now: float) -> None:
        held = self._accounts[name]
        self._expire_leases(held, now)
        if not held.idle(day_of(now)):
            self._round.append(name)
            return
        del self._accounts[name]
        self._first_day = max(self._first_day, held.day + 1)
        self._first_minute = max(self._first_minute, held.minute + 1)

    def _too_many(self, held: Account, plan: Plan) -> ApiError:
        return refusals.all_leases_taken(plan, len(held.line), held.call_seconds)
