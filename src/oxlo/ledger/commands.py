"""Encoded calls of the ledger's scripts; the constant parts are encoded once."""

import secrets
from collections.abc import Callable, Iterable
from typing import Final

from oxlo.ledger import refusals, scripts
from oxlo.ledger.counted import Counted
from oxlo.ledger.slots import Offer, SlotRequest
from oxlo.plans import Plan
from oxlo.valkey.script import bulk

_NO_LIMIT: Final = b"-1"
#: The argument of settle.lua that says what counts: day, minute and refund as bits of a number.
_FLAGS: Final = tuple(
    b"".join(bulk(b"%d" % (number >> bit & 1)) for bit in (2, 1, 0)) for number in range(8)
)
#: Accounts whose encoded prefixes are cached.
_MOST_KEPT: Final = 100_000


class Commands:
    """Encodes one gateway's commands about accounts and their calls."""

    def __init__(
        self,
        gateway: str,
        *,
        lease_seconds: float,
        alive_seconds: float,
        clock: Callable[[], float] | None,
    ) -> None:
        """With a `clock` (for tests), Valkey uses the time passed to it instead of its own."""
        self._gateway = gateway.encode()
        self._lease = b"%d" % int(lease_seconds * 1000)
        self._alive = b"%d" % int(alive_seconds * 1000)
        self.clock = clock
        #: Prefixes of admissions by account and model, valid for one plan and set of replicas.
        self._admits: dict[tuple[str, str], tuple[Plan, Offer, bytes]] = {}
        #: Prefixes of settlements, by account, and by account and model.
        self._ends: dict[str, bytes] = {}
        self._finishes: dict[tuple[str, str], bytes] = {}

    def now(self, otherwise: float) -> float:
        """The test clock's time, otherwise the time given by the caller."""
        return otherwise if self.clock is None else self.clock()

    def reserve(self, call: str, account: str, plan: Plan) -> bytes:
        """Charge the account and take a lease."""
        start = scripts.RESERVE.start(_key(account), 9)
        return start + self._terms(plan) + bulk(call.encode())

    def admit(self, call: str, account: str, plan: Plan, slot: SlotRequest) -> bytes:
        """As `reserve`, and take a slot or join the model's queue."""
        offer, known = slot.offer, self._admits.get((account, slot.model))
        if known is not None and known[0] is plan and known[1] is offer and self.clock is None:
            start = known[2]
        else:
            self._limit_kept()
            start = scripts.ADMIT.start(_key(account), 9 + offer.arguments, offer.key)
            start += self._terms(plan)
            self._admits[account, slot.model] = plan, offer, start
        name = call.encode()
        return b"%b$%d\r\n%b\r\n%b%b%b" % (
            start, len(name), name, offer.head, slot.encoded, offer.tail,
        )  # fmt: skip

    def _limit_kept(self) -> None:
        if len(self._admits) + len(self._ends) + len(self._finishes) >= _MOST_KEPT:
            self._admits.clear()
            self._ends.clear()
            self._finishes.clear()

    def _terms(self, plan: Plan) -> bytes:
        """All arguments of reserve.lua except the call's id."""
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
        return b"".join(map(bulk, arguments))

    def settle(
        self,
        call: str,
        account: str,
        charge: bytes,
        *,
        counted: bool,
        minute_counted: bool,
        refund: bool,
        now: float,
        slot: SlotRequest | None = None,
    ) -> bytes:
        """Settle a call, and free its slot if one is named."""
        name, ended = call.encode(), b"%d" % _exact(now)
        flags = _FLAGS[4 * counted + 2 * minute_counted + refund]
        if slot is None:
            return b"%b$%d\r\n%b\r\n%b$%d\r\n%b\r\n$%d\r\n%b\r\n" % (
                self._settlement(account), len(name), name, flags, len(ended), ended, len(charge),
                charge,
            )  # fmt: skip
        replica = slot.replica.encode()
        return b"%b$%d\r\n%b\r\n%b$%d\r\n%b\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n" % (
            self._finish(account, slot), len(name), name, flags, len(ended), ended, len(charge),
            charge, len(replica), replica,
        )  # fmt: skip

    def _settlement(self, account: str) -> bytes:
        start = self._ends.get(account)
        if start is None or self.clock is not None:
            self._limit_kept()
            start = scripts.SETTLE.start(_key(account), 7) + bulk(self._time())
            self._ends[account] = start
        return start

    def _finish(self, account: str, slot: SlotRequest) -> bytes:
        start = self._finishes.get((account, slot.model))
        if start is None or self.clock is not None:
            self._limit_kept()
            start = scripts.FINISH.start(_key(account), 8, slot.offer.key) + bulk(self._time())
            self._finishes[account, slot.model] = start
        return start

    def renew(self, account: str, held: Iterable[tuple[str, bytes]]) -> bytes:
        """Renew leases; for each call its id and its charge."""
        pairs = [word for call, charge in held for word in (call.encode(), charge)]
        return scripts.RENEW.call(_key(account), self._time(), self._lease, *pairs)

    def line(self, account: str, calls: Iterable[str]) -> bytes:
        """Poll the state of calls in the account's queue."""
        names = [call.encode() for call in calls]
        return scripts.LINE.call(_key(account), self._time(), self._alive, *names)

    def standing(self, account: str) -> bytes:
        """Fetch the account's standing."""
        return scripts.STANDING.call(_key(account), self._time())

    def begin(self, account: str, counted: Counted) -> bytes:
        """Store the account's usage, unless another gateway was first."""
        figures = (
            counted.day,
            counted.day_used,
            counted.minute,
            counted.minute_used,
            counted.refunds,
        )
        epoch, as_of = secrets.token_hex(6).encode(), b"%d" % _exact(counted.as_of)
        words = (b"%d" % figure for figure in figures)
        return scripts.BEGIN.call(_key(account), self._time(), epoch, *words, as_of)

    def _time(self) -> bytes:
        return b"" if self.clock is None else b"%d" % round(self.clock() * 1000)


def _exact(at: float) -> int:
    """A timestamp in microseconds, as a call may end in the millisecond in which it is counted."""
    return int(at * 1e6)


def _key(account: str) -> bytes:
    return b"oxlo:{%b}" % account.encode()


def _limit(limit: int | None) -> bytes:
    return _NO_LIMIT if limit is None else b"%d" % limit
