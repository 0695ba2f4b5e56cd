"""Admission of calls by Valkey, which counts for all gateways.

ASKED ── reserve.lua ──> Reservation, or a refusal
  │                ├───> STANDING in the account's queue ── message ──> Reservation or refusal
  │                └───> account unknown: its counts come from control, then ASKED again
  └── Valkey is unreachable ──> refused, or served from memory, as configured
"""

from typing import Any

from oxlo.errors import ApiError
from oxlo.ledger import scripts
from oxlo.ledger.account_cache import AccountCache, CachedAccount
from oxlo.ledger.base import Ready, Reservation
from oxlo.ledger.commands import Commands
from oxlo.ledger.counting import Counting
from oxlo.ledger.outage import Outage
from oxlo.ledger.pending import Admitter, Charged, PendingCall
from oxlo.ledger.settlements import Settlements
from oxlo.ledger.slots import SlotRequest
from oxlo.ledger.valkey_health import ValkeyHealth
from oxlo.ledger.waiting import WaitingCalls
from oxlo.plans import Plan
from oxlo.valkey.client import Client


class Admissions(Admitter):
    """The calls that ask Valkey for their reservation, or wait for it."""

    def __init__(
        self,
        client: Client,
        commands: Commands,
        known: AccountCache,
        settlements: Settlements,
        counting: Counting,
        health: ValkeyHealth,
        outage: Outage,
        lease_seconds: float,
    ) -> None:
        self._client = client
        self._commands = commands
        self._known = known
        self._settlements = settlements
        self._counting = counting
        self._health = health
        self._outage = outage
        self._lease_seconds = lease_seconds
        self._waiting = WaitingCalls(self, client, commands, known)
        self.pending = self._waiting.pending

    def reserve(
        self,
        call: str,
        account: str,
        plan: Plan,
        now: float,
        ready: Ready,
        slot: SlotRequest | None,
    ) -> PendingCall:
        """Ask for a reservation, and for a `slot` in the same step."""
        if slot is not None:
            slot.ahead = True
        pending = PendingCall(self, call, account, plan, ready, now, slot)
        self.pending[call] = pending
        self.ask(pending)
        return pending

    def ask(self, pending: PendingCall) -> None:
        """Send the request to Valkey; `answered` is called with the reply."""
        commands = self._commands
        if pending.slot is None:
            payload = commands.reserve(pending.call, pending.account, pending.plan)
        else:
            payload = commands.admit(pending.call, pending.account, pending.plan, pending.slot)
        self._client.send(payload, pending.replied)

    def answered(self, pending: PendingCall, reply: Any) -> None:
        """Handle the reply of reserve.lua, followed by that of take.lua."""
        if not isinstance(reply, list):
            self._unanswered(pending, reply)
            return
        if self._health.refused:
            self._health.taken()
        code = reply[0]
        if code == scripts.NOT_COUNTED:
            self._ask_again(pending, int(reply[1]))
            return
        slot = pending.slot
        if slot is not None:
            pending.slot = None
            slot.ahead = False
            if code == scripts.ADMITTED:
                slot.reply = reply[10:]
            else:
                slot.end()
        # Leases follow this host's clock, windows that of Valkey.
        now = pending.asked_at if code == scripts.ADMITTED else reply[1] / 1000
        self._apply(pending, code, self._known.update(pending.account, reply), now)

    def _unanswered(self, pending: PendingCall, reply: Any) -> None:
        """Go on without Valkey, and undo what it may have done without our knowing."""
        self._health.failed(reply)
        self._settlements.end(pending.call, pending.account)
        self._release_slot(pending)
        self._go_without(pending)

    def _release_slot(self, pending: PendingCall) -> None:
        """Release a slot that may have been granted without our knowing."""
        slot, pending.slot = pending.slot, None
        if slot is not None:
            slot.release()

    def _apply(self, pending: PendingCall, code: int, known: CachedAccount, now: float) -> None:
        """Apply what Valkey decided at `now`, which may be long after the call asked."""
        if code == scripts.WAITS:
            pending.standing = True
        elif code == scripts.ADMITTED:
            self._admit(pending, known.day, known.minute, known.epoch, now)
        else:
            pending.end(known.refusal(code, pending.plan, self._commands.now(now)))

    def admitted(self, pending: PendingCall, charge: bytes, now: float) -> None:
        """Admit a call that got its lease; `charge` is `DAY MINUTE EPOCH`."""
        day, minute, epoch = charge.split()
        self._admit(pending, int(day), int(minute), epoch, now)

    def _admit(self, pending: PendingCall, day: int, minute: int, epoch: bytes, now: float) -> None:
        now = self._commands.now(now)
        charge = b"%d %d %b" % (day, minute, epoch)
        expires = now + self._lease_seconds
        pending.end(
            Charged(pending.call, pending.account, pending.plan, day, minute, charge, now, expires)
        )

    def over(self, pending: PendingCall) -> None:
        """Forget a request that has its result."""
        self.pending.pop(pending.call, None)

    def _ask_again(self, pending: PendingCall, now_ms: int) -> None:
        """Ask again once the account is counted. Separate: a closure would slow down every call."""

        def counted(error: ApiError | None) -> None:
            if pending.over:
                return
            if error is not None:
                self._release_slot(pending)
                self._go_without(pending)
            else:
                self.ask(pending)

        self._counting.ask(pending.account, now_ms, counted)

    def _go_without(self, pending: PendingCall) -> None:
        """Refuse a call, or count it in memory, as configured for an outage."""
        now = self._commands.now(pending.asked_at)
        try:
            got = self._outage.reserve(
                pending.call, pending.account, pending.plan, now, pending.end
            )
        except ApiError as error:
            pending.end(error)
            return
        if isinstance(got, Reservation):
            pending.end(got)
        else:
            pending.inner = got
            pending.standing = False

    def heard(self, text: bytes) -> None:
        """Handle a freed lease or a used-up window for a call of ours: `ACCOUNT CALL CODE ...`."""
        fields = text.split()
        account, call = fields[0].decode(), fields[1].decode()
        reply = [field if place == 9 else int(field) for place, field in enumerate(fields[2:], 2)]
        known = self._known.update(account, reply)
        pending = self.pending.get(call)
        if pending is not None and pending.inner is None:
            self._apply(pending, int(fields[2]), known, int(fields[3]) / 1000)
        else:  # it has left, waits in memory, or belongs to an earlier run: undo the grant
            self._settlements.end(call, account)

    def abandon(self, pending: PendingCall) -> None:
        """Drop a call that no longer waits, and give back anything granted in the meantime."""
        self.pending.pop(pending.call, None)
        self._settlements.end(pending.call, pending.account)
        if pending.slot is not None:
            pending.slot.release()

    def timed_out(self, pending: PendingCall) -> None:
        """Refuse a call that waited in the queue for as long as its plan allows."""
        self._settlements.end(pending.call, pending.account)
        known = self._known.of(pending.account)
        pending.end(known.refusal(scripts.QUEUE_FULL, pending.plan, pending.deadline))

    def tick(self, now: float) -> None:
        """Time out calls that wait, and poll the state of the others; called twice a second."""
        self._waiting.tick(now)
