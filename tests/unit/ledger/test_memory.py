"""The ledger in memory: restarts, forgotten accounts, and many calls at once."""

import asyncio
from collections.abc import Callable

import pytest

from oxlo.errors import ApiError, MinuteLimitExceeded, RateLimitExceeded
from oxlo.ledger.base import Ready, Reservation, Waiter
from oxlo.ledger.memory import MemoryLedger
from oxlo.plans import Plan
from oxlo.testing.clock import FakeClock

MakePlan = Callable[..., Plan]


def take(ledger: MemoryLedger, plan: Plan, now: float, account: str = "a") -> Reservation:
    """A reservation granted immediately."""
    held = ledger.reserve("call", account, plan, now, _never)
    assert isinstance(held, Reservation)
    return held


def stand(ledger: MemoryLedger, plan: Plan, now: float, ready: Ready, account: str = "a") -> Waiter:
    """A place in an account's queue."""
    waiter = ledger.reserve("call", account, plan, now, ready)
    assert isinstance(waiter, Waiter)
    return waiter


def _never(got: object) -> None:
    raise AssertionError(got)


def answer(ledger: MemoryLedger, plan: Plan, now: float, calls: int = 1) -> None:
    """Reserve and settle `calls` answered calls of account `a`."""
    for _ in range(calls):
        held = take(ledger, plan, now)
        ledger.settle(held, counted=True, minute_counted=True, now=now)


def used(ledger: MemoryLedger, plan: Plan, now: float) -> tuple[int, int, int]:
    """Usage of account `a`: day, minute and leases."""
    day, minute, leases = ledger.limits("a", plan, now)
    return day.used, minute.used, leases


def test_forgotten_account_stays_used(
    ledger: MemoryLedger, clock: FakeClock, make_plan: MakePlan
) -> None:
    """A dropped account cannot reuse an old day when the clock is set back."""
    plan = make_plan(requests_per_minute=None)
    answer(ledger, plan, clock(), calls=10)
    ledger.tick(clock() + 86_400)
    assert len(ledger) == 0
    assert take(ledger, plan, clock()).day == clock() // 86_400 + 1


def test_tick_keeps_what_is_held(
    ledger: MemoryLedger, clock: FakeClock, make_plan: MakePlan
) -> None:
    """An account with a call in progress is not dropped, whatever the day."""
    held = take(ledger, make_plan(), clock())
    clock.advance(2 * 86_400)
    ledger.renew([held], clock())
    ledger.tick(clock())
    assert used(ledger, make_plan(), clock()) == (0, 0, 1)


def test_tick_does_bounded_work(clock: FakeClock, make_plan: MakePlan) -> None:
    """One tick examines some of the accounts; a few ticks examine all of them."""
    ledger = MemoryLedger()
    for number in range(1_200):
        ledger.limits(str(number), make_plan(), clock())
    clock.advance(86_400)
    sizes = []
    for _ in range(3):
        ledger.tick(clock())
        sizes.append(len(ledger))
    assert sizes == [700, 200, 0]


def test_restored_counts_hold(clock: FakeClock, make_plan: MakePlan) -> None:
    """A ledger restored from a snapshot refuses when the old one would have."""
    old, new = MemoryLedger(), MemoryLedger()
    answer(old, make_plan(), clock(), calls=3)
    new.restore(old.snapshot(clock()))
    with pytest.raises(MinuteLimitExceeded):
        take(new, make_plan(), clock())


def test_snapshot_leaves_out_open_calls(
    ledger: MemoryLedger, clock: FakeClock, make_plan: MakePlan
) -> None:
    """Calls in progress are not in the counts, as it is not known yet whether they count."""
    answer(ledger, make_plan(), clock())
    take(ledger, make_plan(), clock())
    assert [counts[2] for counts in ledger.snapshot(clock())] == [1]


def test_passed_days_are_not_kept(
    ledger: MemoryLedger, clock: FakeClock, make_plan: MakePlan
) -> None:
    """A snapshot only holds accounts used today."""
    answer(ledger, make_plan(), clock())
    assert ledger.snapshot(clock() + 86_400) == ()


async def test_parallel_clients_are_counted_exactly(
    ledger: MemoryLedger, clock: FakeClock, make_plan: MakePlan
) -> None:
    """Fifty parallel clients get exactly the minute's requests, apart from failed calls."""
    plan = make_plan(requests_per_day=None, requests_per_minute=60, concurrency=None)
    answered = []

    async def client(number: int) -> None:
        for attempt in range(10):
            try:
                held = take(ledger, plan, clock())
            except RateLimitExceeded:
                continue
            await asyncio.sleep(0)
            counted = (number + attempt) % 3 > 0
            ledger.settle(held, counted=counted, minute_counted=counted, now=clock())
            answered.append(counted)

    await asyncio.gather(*(client(number) for number in range(50)))
    assert sum(answered) == used(ledger, plan, clock())[1] == 60


def test_line_of_failing_calls_is_served(
    ledger: MemoryLedger, clock: FakeClock, make_plan: MakePlan
) -> None:
    """Waiters that settle inside `ready` are served in a loop, regardless of their number."""
    plan = make_plan(concurrency=500, requests_per_minute=None, requests_per_day=None)
    held = [take(ledger, plan, clock()) for _ in range(500)]
    served = []

    def fail(got: Reservation | ApiError) -> None:
        assert isinstance(got, Reservation)
        served.append(got)
        ledger.settle(got, counted=False, minute_counted=False, now=clock())

    for _ in range(1_000):
        stand(ledger, plan, clock(), fail)
    ledger.settle(held[0], counted=False, minute_counted=False, now=clock())
    assert len(served) == 1_000
    assert used(ledger, plan, clock()) == (499, 499, 499)
