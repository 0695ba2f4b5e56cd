"""The ledger shared by all gateways: counts, leases and queues in Valkey, one Lua script per step.

Calls are admitted by `Admissions`. A settlement is kept until Valkey confirms it, and sent again
after each reconnection; settling is idempotent. Reservations that Valkey cannot settle because the
gateway died end with their lease.
"""

import asyncio
import secrets
from collections.abc import Callable, Iterable
from typing import Any, Final

from oxlo.errors import ApiError, LimitsUnavailable
from oxlo.ledger import scripts
from oxlo.ledger.account import Lease
from oxlo.ledger.account_cache import AccountCache
from oxlo.ledger.admissions import Admissions
from oxlo.ledger.base import (
    AccountCounts,
    AlreadySettledError,
    Ledger,
    Ready,
    Reservation,
    Standing,
    Waiter,
)
from oxlo.ledger.commands import Commands
from oxlo.ledger.counting import Count, Counting
from oxlo.ledger.leases import Leases
from oxlo.ledger.outage import Outage, WhenDown
from oxlo.ledger.pending import Charged
from oxlo.ledger.records import Settled
from oxlo.ledger.settlements import Settlements
from oxlo.ledger.slots import SharedSlots, SlotRequest
from oxlo.ledger.valkey_health import ValkeyHealth
from oxlo.ledger.windows import day_of, minute_of
from oxlo.plans import Plan
from oxlo.valkey.address import Address
from oxlo.valkey.client import Client
from oxlo.valkey.script import command, unheard

#: Seconds after which a queued call is skipped unless its gateway has polled for it.
_ALIVE: Final = 5.0
_CHANGES: Final = "oxlo:changes"


class SharedLedger(Ledger):
    """Daily, per-minute and concurrency limits of every account, for all gateways."""

    def __init__(
        self,
        address: Address,
        loop: asyncio.AbstractEventLoop,
        gateway: str,
        *,
        count: Count,
        when_down: WhenDown = "closed",
        lease_seconds: float = 30.0,
        alive_seconds: float = _ALIVE,
        timeout: float = 1.0,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """Start connecting; `gateway` is a name that no other gateway uses.

        `count` fetches an account's usage, `when_down` selects the behaviour without Valkey. With a
        `clock` (for tests), Valkey uses the time passed to it instead of its own.
        """
        self.commands = Commands(
            gateway, lease_seconds=lease_seconds, alive_seconds=alive_seconds, clock=clock
        )
        self.known = AccountCache()
        self._outage = Outage(when_down, lease_seconds, self.known.counts)
        #: Called with the change counter when accounts or keys have changed.
        self.on_change: Callable[[int], None] | None = None
        #: The slots that this gateway shares; their messages arrive on the same connection.
        self.slots: SharedSlots | None = None
        self._health = ValkeyHealth(self._outage)
        self.client = Client(
            address,
            loop,
            scripts=scripts.ALL,
            channels=(f"oxlo:gateway:{gateway}", f"oxlo:slots:{gateway}", _CHANGES),
            message=self._message,
            changed=self._changed,
            timeout=timeout,
        )
        failed = self._health.failed
        self.settlements = Settlements(self.client, self.commands, failed)
        self._counting = Counting(count, self.client, self.commands, self.known, failed)
        self.admissions = Admissions(
            self.client,
            self.commands,
            self.known,
            self.settlements,
            self._counting,
            self._health,
            self._outage,
            lease_seconds,
        )
        self._leases = Leases(self.client, self.commands, self.known, lease_seconds)

    # Reservations.

    def reserve(
        self,
        call: str,
        account: str,
        plan: Plan,
        now: float,
        ready: Ready,
        slot: SlotRequest | None = None,
    ) -> Reservation | Waiter:
        """See `Ledger.reserve`; always a Waiter, except while Valkey is unreachable."""
        if not self.client.connected:
            if slot is not None:
                slot.end()
            return self._outage.reserve(call, account, plan, now, ready)
        return self.admissions.reserve(call, account, plan, now, ready, slot)

    # Settlements.

    def renew(self, reservations: Iterable[Reservation], now: float) -> None:
        """See `Ledger.renew`."""
        self._leases.renew(reservations, now)

    def settle(
        self, reservation: Reservation, *, counted: bool, minute_counted: bool, now: float
    ) -> None:
        """See `Ledger.settle`; sent in this turn of the event loop, or once Valkey is reachable."""
        if isinstance(reservation, Lease):
            self._settle_local(reservation, counted, minute_counted, now)
            return
        if reservation.settled:
            raise AlreadySettledError(reservation.account)
        assert isinstance(reservation, Charged)
        reservation.settled = True
        self._give_back(reservation, counted, minute_counted, now)
        slot = self._slot_of(reservation)
        self.settlements.end(
            reservation.call,
            reservation.account,
            reservation.charge,
            counted=counted,
            minute_counted=minute_counted,
            refund=reservation.refund,
            now=now,
            slot=slot,
        )
        if slot is not None:
            slot.end()

    def _give_back(
        self, reservation: Charged, counted: bool, minute_counted: bool, now: float
    ) -> None:
        """Apply the settlement to the cached counts in advance, as Valkey will."""
        known = self.known.of(reservation.account)
        known.give_back(
            reservation.day, reservation.minute, counted=counted, minute_counted=minute_counted
        )
        known.ended(now - reservation.since)

    def _slot_of(self, reservation: Charged) -> SlotRequest | None:
        """The slot that a call holds; one that waits for a slot leaves the queue by itself."""
        slot = None if self.slots is None else self.slots.requests.get(reservation.call)
        return slot if slot is not None and slot.replica else None

    def _settle_local(self, lease: Lease, counted: bool, minute_counted: bool, now: float) -> None:
        """Settle a call that was admitted from memory, and charge Valkey with what counts of it."""
        self._outage.settle(lease, counted=counted, minute_counted=minute_counted, now=now)
        if counted or minute_counted:
            self.settlements.end(
                f"local-{secrets.token_hex(8)}",
                lease.account,
                b"%d %d local" % (lease.day, lease.minute),
                counted=counted,
                minute_counted=minute_counted,
                now=now,
            )

    def may_refund_abandoned(self, reservation: Reservation, now: float) -> bool:
        """See `Ledger.may_refund_abandoned`; two gateways at once may grant one refund too many."""
        if not isinstance(reservation, Charged):
            return self._outage.may_refund_abandoned(reservation, now)
        known = self.known.of(reservation.account)
        known.advance(day_of(now), minute_of(now))
        if known.refunds >= reservation.plan.abandoned_refunds:
            return False
        known.refunds += 1
        reservation.refund = True
        return True

    # Cached state.

    def limits(self, account: str, plan: Plan, now: float) -> Standing:
        """The account's standing as of the last reply; without limits if there was none yet."""
        counted_here = self._outage.limits(account, plan, now)
        return counted_here or self.known.standing(account, plan, now)

    def fetch_limits(
        self, account: str, plan: Plan, now: float, then: Callable[[Standing | ApiError], None]
    ) -> None:
        """Fetch the account's standing from Valkey."""
        if not self.client.connected:
            self._outage.fetch_limits(account, plan, now, then)
            return

        def again(error: ApiError | None) -> None:
            if error is None:
                self.fetch_limits(account, plan, now, then)
            else:
                then(error)

        def replied(reply: Any) -> None:
            if not isinstance(reply, list):
                self._health.failed(reply)
                then(LimitsUnavailable(retry_after=2))
            elif reply[0] == scripts.NOT_COUNTED:
                self._counting.ask(account, int(reply[1]), again)
            else:
                self.known.update(account, reply)
                then(self.limits(account, plan, now))

        self.client.send(self.commands.standing(account), replied)

    # Messages, outages and time.

    def _changed(self, connected: bool) -> None:
        if connected:
            self.settlements.send_all()
        self._health.changed(connected)

    def announce(self, counter: int) -> None:
        """Notify the other gateways that accounts or keys have changed."""
        if self.client.connected:
            payload = command(b"PUBLISH", _CHANGES.encode(), b"%d" % counter)
            self.client.send(payload, unheard)

    def _message(self, channel: bytes, text: bytes) -> None:
        """Dispatch a message about accounts and keys, slots, or a queued call."""
        if channel == _CHANGES.encode():
            if self.on_change is not None:
                self.on_change(int(text))
        elif channel.startswith(b"oxlo:slots:"):
            if self.slots is not None:
                self.slots.message(text)
        else:
            self.admissions.heard(text)

    def tick(self, now: float) -> None:
        """Handle everything time-dependent; called twice a second."""
        self._outage.tick(now)
        self.settlements.tick()
        self.admissions.tick(now)

    def health(self) -> tuple[bool, int]:
        """See `Ledger.health`."""
        return self.client.connected and not self._health.refused, self._health.failures

    async def open(self) -> None:
        """Wait briefly for Valkey, so that a gateway that has just started refuses no calls."""
        await self.client.up()

    async def close(self) -> None:
        """Send pending settlements and disconnect."""
        await self.client.close()

    def snapshot(self, now: float) -> tuple[AccountCounts, ...]:
        """Empty: the counts are in Valkey."""
        return ()

    def restore(self, counts: Iterable[AccountCounts], ended: Iterable[Settled] = ()) -> None:
        """Settle the calls that an earlier run may not have reported to Valkey."""
        for record in ended:
            self.settlements.end(
                record.id,
                record.account,
                b"",
                counted=record.counted,
                minute_counted=record.minute_counted,
                now=record.at,
            )
