"""The ledger beside a model so plain that it is right by inspection."""

from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from oxlo.errors import ApiError, ConcurrencyExceeded, DailyLimitExceeded, MinuteLimitExceeded
from oxlo.ledger.base import Reservation, Waiter
from oxlo.ledger.memory import MemoryLedger
from oxlo.plans import Plan

PLAN = Plan(
    id="p",
    name="P",
    requests_per_day=7,
    requests_per_minute=3,
    concurrency=2,
    concurrency_wait=20.0,
    tiers=frozenset({"free"}),
    queue="high",
)
LEASE = 30.0
accounts = st.sampled_from("ab")


@dataclass
class Charge:
    """One call as the model remembers it: every charge there ever was is kept."""

    day: int
    minute: int
    counts_day: bool = True
    counts_minute: bool = True
    open: bool = True


@dataclass
class Account:
    """What the model knows of an account."""

    day: int = 0
    minute: int = 0
    charges: list[Charge] = field(default_factory=list)
    line: list["Standing"] = field(default_factory=list)

    def used(self, now: float) -> tuple[int, int, int]:
        """Requests of the day and of the minute, and leases."""
        self.day = max(self.day, int(now // 86_400))
        self.minute = max(self.minute, int(now // 60))
        return (
            sum(c.day == self.day and c.counts_day for c in self.charges),
            sum(c.minute == self.minute and c.counts_minute for c in self.charges),
            sum(c.open for c in self.charges),
        )


@dataclass(eq=False)
class Standing:
    """Someone in a line, and what came of it."""

    account: str
    deadline: float
    got: list[Reservation | ApiError] = field(default_factory=list)
    waiter: Waiter | None = None


class Ledger(RuleBasedStateMachine):
    """Random calls, waits and clock jumps on both."""

    reservations = Bundle("reservations")
    lines = Bundle("lines")

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_795_392_000.0
        self.ledger = MemoryLedger(lease_seconds=LEASE)
        self.model = {name: Account() for name in "ab"}
        self.charges: dict[Reservation, Charge] = {}

    def charge(self, held: Reservation) -> None:
        """The model takes note of a call."""
        account = self.model[held.account]
        account.used(self.now)
        self.charges[held] = Charge(account.day, account.minute)
        account.charges.append(self.charges[held])
        assert (held.day, held.minute) == (account.day, account.minute)

    def expected(self, name: str) -> type[object]:
        """How the model answers a newcomer."""
        day, minute, leases = self.model[name].used(self.now)
        if day >= 7:
            return DailyLimitExceeded
        if minute >= 3:
            return MinuteLimitExceeded
        return Waiter if leases >= 2 or self.model[name].line else Reservation

    @rule(target=reservations, name=accounts)
    def reserve(self, name: str) -> Reservation | None:
        """A newcomer is admitted exactly when the model says so."""
        expected = self.expected(name)
        if expected is Waiter:
            return None
        if issubclass(expected, ApiError):
            with pytest.raises(expected):
                self.ledger.reserve("call", name, PLAN, self.now, print)
            return None
        held = self.ledger.reserve("call", name, PLAN, self.now, print)
        assert isinstance(held, Reservation)
        self.charge(held)
        return held

    @rule(held=consumes(reservations), counted=st.booleans(), minute_counted=st.booleans())
    def settle(self, held: Reservation | None, counted: bool, minute_counted: bool) -> None:
        """An end gives back exactly what does not count, then the line moves in order."""
        if held is None:
            return
        charge = self.charges[held]
        charge.counts_day, charge.counts_minute, charge.open = counted, minute_counted, False
        self.ledger.settle(held, counted=counted, minute_counted=minute_counted, now=self.now)
        self.serve(held.account)

    def serve(self, name: str) -> None:
        """The model's line: first come, first served, while leases are free."""
        account = self.model[name]
        while account.line and account.used(self.now)[2] < 2:
            first = account.line.pop(0)
            day, minute, _ = account.used(self.now)
            (got,) = first.got
            if day >= 7:
                assert isinstance(got, DailyLimitExceeded)
            elif minute >= 3:
                assert isinstance(got, MinuteLimitExceeded)
            else:
                assert isinstance(got, Reservation)
                self.charge(got)

    @rule(target=lines, name=accounts)
    def wait(self, name: str) -> Standing | None:
        """Who is told to wait stands at the end of the line."""
        if self.expected(name) is not Waiter:
            return None
        standing = Standing(name, self.now + PLAN.concurrency_wait)
        if len(self.model[name].line) >= 12:
            with pytest.raises(ConcurrencyExceeded):
                self.ledger.reserve("call", name, PLAN, self.now, standing.got.append)
            return None
        waiter = self.ledger.reserve("call", name, PLAN, self.now, standing.got.append)
        assert isinstance(waiter, Waiter)
        standing.waiter = waiter
        self.model[name].line.append(standing)
        return standing

    @rule(target=reservations, standing=consumes(lines))
    def collect(self, standing: Standing | None) -> Reservation | None:
        """Who was served goes on as any other call; who was not leaves the line."""
        if standing is None:
            return None
        if standing in self.model[standing.account].line:
            assert standing.waiter is not None
            standing.waiter.cancel()
            self.model[standing.account].line.remove(standing)
        return next((got for got in standing.got if isinstance(got, Reservation)), None)

    @rule(seconds=st.sampled_from([0.5, 7.0, 25.0, 61.0, 86_400.0, -40.0, -90_000.0]))
    def time_passes(self, seconds: float) -> None:
        """The clock goes on, or is set; leases are renewed as their owner does."""
        self.now += seconds
        self.ledger.renew([h for h, charge in self.charges.items() if charge.open], self.now)

    @rule()
    def tick(self) -> None:
        """Waits that are over end with an error; everyone else stands as before."""
        self.ledger.tick(self.now)
        for account in self.model.values():
            over = [s for s in account.line if s.deadline <= self.now]
            account.line = [s for s in account.line if s.deadline > self.now]
            assert all(isinstance(s.got[0], ConcurrencyExceeded) for s in over)
            assert all(not s.got for s in account.line)

    @invariant()
    def counts_agree(self) -> None:
        """Day, minute and leases are those of the model, and never above the plan."""
        for name, account in self.model.items():
            day, minute, leases = self.ledger.limits(name, PLAN, self.now)
            assert (day.used, minute.used, leases) == account.used(self.now)
            assert (day.used <= 7, minute.used <= 3, leases <= 2) == (True, True, True)


TestLedger = Ledger.TestCase
TestLedger.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
