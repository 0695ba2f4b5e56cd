"""Both ledgers compared to a reference model that is simple enough to be obviously correct."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule
from tests.unit.ledger.driver import LEASE, Driver, Queued, memory, shared
from tests.valkeys import ValkeyServer

from oxlo.errors import ApiError, ConcurrencyExceeded, DailyLimitExceeded, MinuteLimitExceeded
from oxlo.ledger.base import Reservation
from oxlo.plans import Plan
from oxlo.testing.clock import FakeClock

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
accounts = st.sampled_from("ab")
T = TypeVar("T")


@dataclass
class Charge:
    """One call in the model, which keeps every charge ever made."""

    day: int
    minute: int
    counts_day: bool = True
    counts_minute: bool = True
    open: bool = True


@dataclass
class Account:
    """An account in the model."""

    day: int = 0
    minute: int = 0
    charges: list[Charge] = field(default_factory=list)
    line: list["Place"] = field(default_factory=list)

    def used(self, now: float) -> tuple[int, int, int]:
        """Requests of the day and of the minute, and leases."""
        self.day = max(self.day, int(now // 86_400))
        self.minute = max(self.minute, int(now // 60))
        self.rename(int(now // 86_400) + 1, int(now // 60) + 1)
        return (
            sum(c.day == self.day and c.counts_day for c in self.charges),
            sum(c.minute == self.minute and c.counts_minute for c in self.charges),
            sum(c.open for c in self.charges),
        )

    def rename(self, next_day: int, next_minute: int) -> None:
        """Rename windows that are too far ahead to the next ones; earlier ones can never recur."""
        for charge in self.charges:
            if self.day > next_day:
                charge.day = next_day if charge.day == self.day else -1
            if self.minute > next_minute:
                charge.minute = next_minute if charge.minute == self.minute else -1
        self.day, self.minute = min(self.day, next_day), min(self.minute, next_minute)


@dataclass(eq=False)
class Place:
    """A place in a queue."""

    account: str
    deadline: float
    queued: Queued


class Machine(RuleBasedStateMachine):
    """Random calls, waits and clock jumps applied to a ledger and to the model."""

    reservations = Bundle("reservations")
    lines = Bundle("lines")

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.model = {name: Account() for name in "ab"}
        self.charges: dict[Reservation, Charge] = {}
        self.runner = asyncio.Runner()
        self.driver = self.run(self.open())

    async def open(self) -> Driver:
        """An empty ledger."""
        return memory(self.clock)

    def teardown(self) -> None:
        self.run(self.driver.ledger.close())
        self.runner.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run an operation of the driver."""
        return self.runner.run(work)

    def charge(self, held: Reservation) -> None:
        """Charge a call in the model."""
        account = self.model[held.account]
        account.used(self.clock())
        self.charges[held] = Charge(account.day, account.minute)
        account.charges.append(self.charges[held])
        assert (held.day, held.minute) == (account.day, account.minute)

    def expected(self, name: str) -> type[object]:
        """The model's decision for a new call."""
        day, minute, leases = self.model[name].used(self.clock())
        if day >= 7:
            return DailyLimitExceeded
        if minute >= 3:
            return MinuteLimitExceeded
        return Queued if leases >= 2 or self.model[name].line else Reservation

    @rule(target=reservations, name=accounts)
    def reserve(self, name: str) -> Reservation | None:
        """A new call is admitted exactly if the model admits it."""
        expected = self.expected(name)
        if expected is Queued:
            return None
        if issubclass(expected, ApiError):
            with pytest.raises(expected):
                self.run(self.driver.ask(PLAN, name))
            return None
        held = self.run(self.driver.take(PLAN, name))
        self.charge(held)
        return held

    @rule(held=consumes(reservations), counted=st.booleans(), minute_counted=st.booleans())
    def settle(self, held: Reservation | None, counted: bool, minute_counted: bool) -> None:
        """A settlement refunds exactly what does not count, then the queue moves in order."""
        if held is None:
            return
        charge = self.charges[held]
        charge.counts_day, charge.counts_minute, charge.open = counted, minute_counted, False
        self.run(self.driver.settle(held, counted=counted, minute_counted=minute_counted))
        self.serve(held.account)

    def serve(self, name: str) -> None:
        """The model's queue: first come, first served, while leases are free."""
        account = self.model[name]
        while account.line and account.used(self.clock())[2] < 2:
            first = account.line.pop(0)
            day, minute, _ = account.used(self.clock())
            (got,) = first.queued.got
            if day >= 7:
                assert isinstance(got, DailyLimitExceeded)
            elif minute >= 3:
                assert isinstance(got, MinuteLimitExceeded)
            else:
                assert isinstance(got, Reservation)
                self.charge(got)

    @rule(target=lines, name=accounts)
    def wait(self, name: str) -> Place | None:
        """A call that has to wait joins the end of the queue; a full queue refuses it."""
        if self.expected(name) is not Queued:
            return None
        if len(self.model[name].line) >= 12:
            with pytest.raises(ConcurrencyExceeded):
                self.run(self.driver.ask(PLAN, name))
            return None
        deadline = self.clock() + PLAN.concurrency_wait
        place = Place(name, deadline, self.run(self.driver.enqueue(PLAN, name)))
        self.model[name].line.append(place)
        return place

    @rule(target=reservations, place=consumes(lines))
    def collect(self, place: Place | None) -> Reservation | None:
        """Served waiters become ordinary calls; refused ones leave the queue."""
        if place is None:
            return None
        if place in self.model[place.account].line:
            self.run(self.driver.cancel(place.queued))
            self.model[place.account].line.remove(place)
        return next((got for got in place.queued.got if isinstance(got, Reservation)), None)

    @rule(seconds=st.sampled_from([0.5, 7.0, 25.0, 61.0, 86_400.0, -40.0, -90_000.0, -3e5]))
    def time_passes(self, seconds: float) -> None:
        """The clock advances or jumps; leases are renewed as by their gateway."""
        self.clock.advance(seconds)
        self.run(self.driver.renew(*(h for h, charge in self.charges.items() if charge.open)))

    @rule()
    def tick(self) -> None:
        """Waits that have timed out end with an error; nothing else changes."""
        self.run(self.driver.tick())
        for account in self.model.values():
            for place in account.line:
                place.deadline = min(place.deadline, self.clock() + PLAN.concurrency_wait)
            over = [p for p in account.line if p.deadline <= self.clock()]
            account.line = [p for p in account.line if p.deadline > self.clock()]
            assert all(isinstance(p.queued.got[0], ConcurrencyExceeded) for p in over)
            assert all(not p.queued.got for p in account.line)

    @invariant()
    def counts_agree(self) -> None:
        """Day, minute and leases match the model, and never exceed the plan."""
        for name, account in self.model.items():
            used = self.run(self.driver.used(PLAN, name))
            assert used == account.used(self.clock())
            assert (used[0] <= 7, used[1] <= 3, used[2] <= 2) == (True, True, True)


class SharedMachine(Machine):
    """The same with a real Valkey and a clock of the test."""

    server: ClassVar[ValkeyServer]

    async def open(self) -> Driver:
        driver = shared(self.server, self.clock, alive_seconds=1e7)
        await driver.ledger.open()
        await driver.ledger.client.ask(b"FLUSHALL")  # type: ignore[attr-defined]
        return driver


def test_memory_is_as_the_model() -> None:
    """The in-memory ledger matches the model."""
    run = Machine.TestCase
    run.settings = settings(max_examples=100, stateful_step_count=40)
    run().runTest()


def test_valkey_is_as_the_model(valkey: ValkeyServer) -> None:
    """The ledger in Valkey matches the model."""
    SharedMachine.server = valkey
    run = SharedMachine.TestCase
    run.settings = settings(max_examples=100, stateful_step_count=40)
    run().runTest()


assert LEASE > 25.0  # only jumps with an immediate renewal outlast a lease
