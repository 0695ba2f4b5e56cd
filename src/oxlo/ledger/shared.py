"""The ledger that all gateways share: counts, leases and lines in Valkey, one Lua call a step.

    ASKED ── reserve.lua ──> Reservation, or a refusal
      │                ├───> STANDING in the account's line ── message ──> Reservation or a refusal
      │                └───> nobody has counted the account: control is asked, then ASKED again
      └── Valkey is away ──> refused, or served from memory, as the operator chose

A settlement is kept until Valkey has confirmed it, and sent again after each reconnection: settling
twice does nothing. What Valkey never hears of, because the gateway died, ends with its lease.
"""

import asyncio
import secrets
from collections.abc import Callable, Iterable
from typing import Any, Final, Literal

import hiredis
import structlog

from oxlo.errors import ApiError, LimitsUnavailable
from oxlo.ledger import refusals, scripts
from oxlo.ledger.account import Lease
from oxlo.ledger.asking import Asking, Charged, Ending
from oxlo.ledger.base import (
    AccountCounts,
    AlreadySettledError,
    Ledger,
    Ready,
    Reservation,
    Standing,
    Waiter,
)
from oxlo.ledger.counted import Counted
from oxlo.ledger.counting import Count, Counting
from oxlo.ledger.known import Known
from oxlo.ledger.memory import MemoryLedger
from oxlo.ledger.records import Settled
from oxlo.ledger.slots import SharedSlots
from oxlo.ledger.windows import Window, day_of, minute_of
from oxlo.plans import Plan
from oxlo.valkey.address import Address
from oxlo.valkey.client import Client
from oxlo.valkey.script import bulk, command

log = structlog.get_logger()

#: Seconds after which a call in line is passed over unless its gateway has asked for it again.
_ALIVE: Final = 5.0
_NEWEST: Final = 0.2
_CHANGES: Final = "oxlo:changes"
#: Seconds that a start waits for Valkey.
_PATIENCE: Final = 5.0
#: Settlements kept while Valkey is away.
_MOST_UNSETTLED: Final = 100_000
_NO_LIMIT: Final = b"-1"
#: Accounts remembered for headers.
_MOST_KNOWN: Final = 100_000


class SharedLedger(Ledger):
    """Day, minute and concurrency of every account, for all gateways of an installation."""

    def __init__(
        self,
        address: Address,
        loop: asyncio.AbstractEventLoop,
        gateway: str,
        *,
        count: Count,
        when_down: Literal["open", "closed"] = "closed",
        lease_seconds: float = 30.0,
        alive_seconds: float = _ALIVE,
        timeout: float = 1.0,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """Begin to connect; `gateway` is a name that no other gateway has.

        `count` asks for what an account used, `when_down` says what happens without Valkey. With a
        `clock` (for tests) the time is passed to Valkey instead of asked of it.
        """
        self._gateway = gateway.encode()
        self._when_down = when_down
        self._lease_seconds = lease_seconds
        self._alive = b"%d" % int(alive_seconds * 1000)
        self._lease = b"%d" % int(lease_seconds * 1000)
        self._clock = clock
        self._memory = MemoryLedger(lease_seconds=lease_seconds)
        #: Accounts whose counts the ledger in memory has taken over in this outage.
        self._seeded: set[str] = set()
        self._known: dict[str, Known] = {}
        #: Beginnings of reserve.lua's calls, by account, for the plan that it had last.
        self._starts: dict[str, tuple[Plan, bytes]] = {}
        #: Beginnings of settle.lua's calls, by account.
        self._ends: dict[str, bytes] = {}
        self.asking: dict[str, Asking] = {}
        self.unsettled: dict[str, Ending] = {}
        self._refused: list[Ending] = []
        self._counting = Counting(count, self._begin)
        #: Told that accounts or keys changed, and to which counter.
        self.on_change: Callable[[int], None] | None = None
        #: The slots that the same gateway shares; messages for them come this way, too.
        self.slots: SharedSlots | None = None
        self.down = False
        self.failures = 0
        self.client = Client(
            address,
            loop,
            scripts=scripts.ALL,
            channels=(f"oxlo:gateway:{gateway}", f"oxlo:slots:{gateway}", _CHANGES),
            message=self._message,
            changed=self._changed,
            timeout=timeout,
        )

    # Reservations.

    def reserve(
        self, call: str, account: str, plan: Plan, now: float, ready: Ready
    ) -> Reservation | Waiter:
        """As `Ledger` says; always a Waiter, but for times without Valkey."""
        if not self.client.connected:
            return self._without(call, account, plan, now, ready)
        asking = Asking(self, call, account, plan, ready, now)
        self.asking[call] = asking
        self._ask(asking)
        return asking

    def _ask(self, asking: Asking) -> None:
        known = self._starts.get(asking.account)
        if known is not None and known[0] is asking.plan and self._clock is None:
            start = known[1]
        else:
            start = self._start(asking.account, asking.plan)
        self.client.send(start + bulk(asking.call.encode()), asking.replied)

    def _start(self, account: str, plan: Plan) -> bytes:
        """All but the call of reserve.lua's arguments."""
        if len(self._starts) >= _MOST_KNOWN:
            self._starts.clear()
            self._ends.clear()
        arguments = (
            self._time(),
            self._gateway,
            _limit(plan.requests_per_day),
            _limit(plan.requests_per_minute),
            _limit(plan.concurrency),
            self._lease,
            b"%d" % refusals.line_limit(plan),
            self._alive,
        )
        start = scripts.RESERVE.start(_key(account), len(arguments) + 1)
        start += b"".join(map(bulk, arguments))
        self._starts[account] = plan, start
        return start

    def answered(self, asking: Asking, said: Any) -> None:
        """What reserve.lua says."""
        if not isinstance(said, list):
            self._failed(said)
            self._forget(asking.call, asking.account)
            self._go_without(asking)
            return
        code = said[0]
        if code == scripts.NOT_COUNTED:
            self._counting.ask(
                asking.account, int(said[1]), lambda error: self._again(asking, error)
            )
            return
        self._said(asking, code, self.heard(asking.account, said))

    def _said(self, asking: Asking, code: int, known: Known) -> None:
        if code == scripts.WAITS:
            asking.standing = True
        elif code == scripts.ADMITTED:
            charge = b"%d %d %b" % (known.day, known.minute, known.epoch.encode())
            self._admitted(asking, charge)
        else:
            asking.end(known.refusal(code, asking.plan, self._now(asking.asked_at)))

    def _admitted(self, asking: Asking, charge: bytes) -> None:
        now = self._now(asking.asked_at)
        expires = now + self._lease_seconds
        asking.end(Charged(asking.call, asking.account, asking.plan, charge, now, expires))

    def over(self, asking: Asking) -> None:
        """A call has its answer."""
        self.asking.pop(asking.call, None)

    def _again(self, asking: Asking, error: ApiError | None) -> None:
        if asking.over:
            return
        if error is not None:
            self._go_without(asking)
        else:
            self._ask(asking)

    def forsake(self, asking: Asking) -> None:
        """A call waits no longer; what it was given meanwhile is given back."""
        self.asking.pop(asking.call, None)
        self._forget(asking.call, asking.account)

    def _forget(self, call: str, account: str) -> None:
        """Undo what may have been done for a call whose charge is not known here."""
        self._end(call, account, b"", counted=False, minute_counted=False, refund=False)

    # Ends.

    def renew(self, reservations: Iterable[Reservation], now: float) -> None:
        """Renew leases of which a third is over, one call for each account."""
        soon = now + self._lease_seconds * 2 / 3
        due: dict[str, list[Charged]] = {}
        for reservation in reservations:
            if isinstance(reservation, Charged):
                if reservation.expires < soon or self._clock is not None:
                    due.setdefault(reservation.account, []).append(reservation)
            else:
                reservation.expires = now + self._lease_seconds
        if self.client.connected:
            for account, held in due.items():
                self._renew(account, held, now)

    def _renew(self, account: str, held: list[Charged], now: float) -> None:
        def replied(said: Any) -> None:
            if isinstance(said, list):
                self.heard(account, said)
            else:
                for reservation in held:
                    reservation.expires = now

        for reservation in held:
            reservation.expires = now + self._lease_seconds
        pairs = [word for each in held for word in (each.call.encode(), each.charge)]
        words = scripts.RENEW.call(_key(account), self._time(), self._lease, *pairs)
        self.client.send(words, replied)

    def settle(
        self, reservation: Reservation, *, counted: bool, minute_counted: bool, now: float
    ) -> None:
        """As `Ledger` says; Valkey is told in this turn of the loop, or when it is back."""
        if isinstance(reservation, Lease):
            self._settle_local(reservation, counted, minute_counted, now)
            return
        if reservation.settled:
            raise AlreadySettledError(reservation.account)
        assert isinstance(reservation, Charged)
        reservation.settled = True
        known = self._of(reservation.account)
        known.give_back(
            reservation.day, reservation.minute, counted=counted, minute_counted=minute_counted
        )
        known.call_seconds += (max(0.0, now - reservation.since) - known.call_seconds) * _NEWEST
        self._end(
            reservation.call,
            reservation.account,
            reservation.charge,
            counted=counted,
            minute_counted=minute_counted,
            refund=reservation.refund,
            now=now,
        )

    def _settle_local(self, lease: Lease, counted: bool, minute_counted: bool, now: float) -> None:
        """End a call that was admitted from memory; what counts of it is charged to Valkey too."""
        self._memory.settle(lease, counted=counted, minute_counted=minute_counted, now=now)
        if counted or minute_counted:
            charge = b"%d %d local" % (lease.day, lease.minute)
            call = f"local-{secrets.token_hex(8)}"
            self._end(
                call,
                lease.account,
                charge,
                counted=counted,
                minute_counted=minute_counted,
                refund=False,
                now=now,
            )

    def _end(
        self,
        call: str,
        account: str,
        charge: bytes,
        *,
        counted: bool,
        minute_counted: bool,
        refund: bool,
        now: float = 0.0,
    ) -> None:
        start = self._ends.get(account)
        if start is None or self._clock is not None:
            start = self._ends[account] = scripts.SETTLE.start(_key(account), 7) + bulk(
                self._time()
            )
        name, ended = call.encode(), b"%d" % int(now * 1000)
        words = b"%b$%d\r\n%b\r\n$1\r\n%d\r\n$1\r\n%d\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n$1\r\n%d\r\n" % (
            start, len(name), name, counted, minute_counted, len(charge), charge, len(ended), ended,
            refund,
        )  # fmt: skip
        ending = self.unsettled[call] = Ending(self, call, account, words)
        if len(self.unsettled) > _MOST_UNSETTLED:
            del self.unsettled[next(iter(self.unsettled))]
        if self.client.connected:
            self.client.send(words, ending.replied)

    def may_refund_abandoned(self, reservation: Reservation, now: float) -> bool:
        """As `Ledger` says; two gateways at once may give one refund more."""
        if not isinstance(reservation, Charged):
            return self._memory.may_refund_abandoned(reservation, now)
        known = self._of(reservation.account)
        known.advance(day_of(now), minute_of(now))
        if known.refunds >= reservation.plan.abandoned_refunds:
            return False
        known.refunds += 1
        reservation.refund = True
        return True

    # What is known.

    def limits(self, account: str, plan: Plan, now: float) -> Standing:
        """As of the last reply about the account; without limits when there was none yet."""
        if account in self._seeded:
            return self._memory.limits(account, plan, now)
        known = self._known.get(account)
        if known is None:
            return Window(None, 0, 0), Window(None, 0, 0), 0
        known.advance(day_of(now), minute_of(now))
        day, minute = known.windows(plan.requests_per_day, plan.requests_per_minute, now)
        return day, minute, known.leases

    def look(
        self, account: str, plan: Plan, now: float, told: Callable[[Standing | ApiError], None]
    ) -> None:
        """Ask Valkey."""

        def counted(error: ApiError | None) -> None:
            if error is None:
                self.look(account, plan, now, told)
            else:
                told(error)

        def replied(said: Any) -> None:
            if not isinstance(said, list):
                self._failed(said)
                told(LimitsUnavailable(retry_after=2))
            elif said[0] == scripts.NOT_COUNTED:
                self._counting.ask(account, int(said[1]), counted)
            else:
                self.heard(account, said)
                told(self.limits(account, plan, now))

        if self.client.connected:
            self.client.send(scripts.LOOK.call(_key(account), self._time()), replied)
        elif self._when_down == "open":
            told(self._local(account).limits(account, plan, now))
        else:
            told(LimitsUnavailable(retry_after=2))

    def heard(self, account: str, said: list[Any]) -> Known:
        """Take over what a script said of an account."""
        known = self._of(account)
        if said[0] != scripts.NOT_COUNTED:
            known.heard(said)
        return known

    def _of(self, account: str) -> Known:
        known = self._known.get(account)
        if known is None:
            if len(self._known) >= _MOST_KNOWN:
                del self._known[next(iter(self._known))]
            known = self._known[account] = Known()
        return known

    # Accounts that Valkey does not know.

    def _begin(
        self, account: str, counted: Counted, done: Callable[[ApiError | None], None]
    ) -> None:
        """Tell Valkey what an account used, unless somebody was first."""

        def replied(said: Any) -> None:
            if isinstance(said, list):
                self.heard(account, said)
                done(None)
            else:
                self._failed(said)
                done(LimitsUnavailable(retry_after=2))

        figures = (
            counted.day,
            counted.day_used,
            counted.minute,
            counted.minute_used,
            counted.refunds,
            int(counted.as_of * 1000),
        )
        log.info("limits_counted", account=account, day_used=counted.day_used)
        words = scripts.BEGIN.call(
            _key(account),
            self._time(),
            secrets.token_hex(6).encode(),
            *(b"%d" % figure for figure in figures),
        )
        self.client.send(words, replied)

    # Without Valkey.

    def _failed(self, why: Any) -> None:
        """Valkey did not carry out a step."""
        self.failures += 1
        if isinstance(why, hiredis.ReplyError):
            log.error("limits_store_failed", error=str(why), then=self._when_down)

    def confirmed(self, ending: Ending, said: list[Any]) -> None:
        """Valkey has carried out a settlement."""
        self.unsettled.pop(ending.call, None)
        self.heard(ending.account, said)

    def refused(self, ending: Ending, why: hiredis.ReplyError) -> None:
        """Valkey did not take a settlement; it is sent again at the next tick."""
        self._failed(why)
        self._refused.append(ending)

    def _changed(self, connected: bool) -> None:
        if connected:
            self._seeded.clear()
            self._resend()
        if self.down != (not connected):
            self.down = not connected
            say = log.info if connected else log.error
            say("limits_store", up=connected, when_down=self._when_down)

    def _resend(self) -> None:
        for ending in list(self.unsettled.values()):
            self.client.send(ending.words, ending.replied)

    def _without(
        self, call: str, account: str, plan: Plan, now: float, ready: Ready
    ) -> Reservation | Waiter:
        """Answer as the operator chose. Raises LimitsUnavailable, or what memory refuses."""
        if self._when_down == "closed":
            raise LimitsUnavailable(retry_after=2)
        return self._local(account).reserve(call, account, plan, now, ready)

    def _local(self, account: str) -> MemoryLedger:
        """The ledger in memory, which goes on from what was last known of the account."""
        if account not in self._seeded:
            self._seeded.add(account)
            known = self._known.get(account)
            if known is not None:
                self._memory.restore([known.counts(account)])
        return self._memory

    def _go_without(self, asking: Asking) -> None:
        try:
            got = self._without(
                asking.call, asking.account, asking.plan, self._now(asking.asked_at), asking.end
            )
        except ApiError as error:
            asking.end(error)
            return
        if isinstance(got, Reservation):
            asking.end(got)
        else:
            asking.inner = got
            asking.standing = False

    # Messages and time.

    def announce(self, counter: int) -> None:
        """Tell the other gateways that accounts or keys have changed."""
        if self.client.connected:
            words = command(b"PUBLISH", _CHANGES.encode(), b"%d" % counter)
            self.client.send(words, _ignore)

    def _message(self, channel: bytes, text: bytes) -> None:
        """A lease came free for a call of ours, or a window is used up: `ACCOUNT CALL CODE ...`."""
        if channel == _CHANGES.encode():
            if self.on_change is not None:
                self.on_change(int(text))
            return
        if channel.startswith(b"oxlo:slots:"):
            if self.slots is not None:
                self.slots.message(text)
            return
        words = text.split()
        account, call = words[0].decode(), words[1].decode()
        known = self.heard(account, words[2:])
        asking = self.asking.get(call)
        if asking is not None:
            self._said(asking, int(words[2]), known)
        else:  # it left, or is of an earlier run: what it was given is given back
            self._forget(call, account)

    def tick(self, now: float) -> None:
        """End waits that are over; ask how the others stand, in case a message was lost."""
        self._memory.tick(now)
        again, self._refused = self._refused, []
        for ending in again:
            self.client.send(ending.words, ending.replied)
        lines: dict[str, list[Asking]] = {}
        for asking in list(self.asking.values()):
            if not asking.standing:
                continue
            if asking.deadline <= now:
                self._over(asking)
            else:
                lines.setdefault(asking.account, []).append(asking)
        if self.client.connected:
            for account, waiting in lines.items():
                self._ask_line(account, waiting)

    def _over(self, asking: Asking) -> None:
        self._forget(asking.call, asking.account)
        known = self._of(asking.account)
        asking.end(known.refusal(scripts.LINE_FULL, asking.plan, asking.deadline))

    def _ask_line(self, account: str, waiting: list[Asking]) -> None:
        def replied(said: Any) -> None:
            if not isinstance(said, list):
                return
            if said[0] == scripts.NOT_COUNTED:
                found = [b"-"] * len(waiting)
            else:
                self.heard(account, said)
                found = said[10:]
            for asking, each in zip(waiting, found, strict=True):
                self._stands(asking, each)

        calls = [asking.call.encode() for asking in waiting]
        words = scripts.LINE.call(_key(account), self._time(), self._alive, *calls)
        self.client.send(words, replied)

    def _stands(self, asking: Asking, found: bytes) -> None:
        """How a call stands that we believe to be in line."""
        if asking.over or not found:
            return
        if found == b"-":  # flushed: it stands in line again, or is admitted
            asking.standing = False
            self._ask(asking)
        else:
            self._admitted(asking, found)

    def health(self) -> tuple[bool, int]:
        """As `Ledger` says."""
        return self.client.connected, self.failures

    async def open(self) -> None:
        """Wait a little for Valkey: a gateway that has just started refuses nobody for that."""
        await self.client.up(_PATIENCE)

    async def close(self) -> None:
        """Tell Valkey what is pending, and hang up."""
        await self.client.close()

    def snapshot(self, now: float) -> tuple[AccountCounts, ...]:
        """Nothing: the counts are in Valkey."""
        return ()

    def restore(self, counts: Iterable[AccountCounts], ended: Iterable[Settled] = ()) -> None:
        """Settle what an earlier run may not have told Valkey of."""
        for record in ended:
            self._end(
                record.id,
                record.account,
                b"",
                counted=record.counted,
                minute_counted=record.minute_counted,
                refund=False,
                now=record.at,
            )

    def _now(self, otherwise: float) -> float:
        return otherwise if self._clock is None else self._clock()

    def _time(self) -> bytes:
        return b"" if self._clock is None else b"%d" % round(self._clock() * 1000)


def _ignore(got: Any) -> None:
    """Nobody waits for this reply."""


def _key(account: str) -> bytes:
    return b"oxlo:{%b}" % account.encode()


def _limit(limit: int | None) -> bytes:
    return _NO_LIMIT if limit is None else b"%d" % limit
