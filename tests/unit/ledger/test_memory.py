import asyncio
from collections.abc import Callable

import pytest
from tests.unit.ledger.conftest import stand, take

from oxlo.errors import (
    ApiError,
    ConcurrencyExceeded,
    DailyLimitExceeded,
    MinuteLimitExceeded,
    RateLimitExceeded,
)
from oxlo.ledger import refusals
from oxlo.ledger.base import AlreadySettledError, Reservation
from oxlo.ledger.memory import MemoryLedger
from oxlo.plans import Plan
from oxlo.testing.clock import FakeClock

MakePlan = Callable[..., Plan]


def answer(ledger: MemoryLedger, plan: Plan, now: float, calls: int = 1) -> None:
    """Reserve and settle `calls` answered calls of account `a`."""
    for _ in range(calls):
        held = take(ledger, plan, now)
        ledger.settle(held, counted=True, minute_counted=True, now=now)


def used(ledger: MemoryLedger, plan: Plan, now: float) -> tuple[int, int, int]:
    """Usage of account `a`: day, minute and leases."""
    day, minute, leases = ledger.limits("a", plan, now)
    return day.used, minute.used, leases


def test_reservation_charges_everything(
    ledger: MemoryLedger, clock: FakeClock, make_plan: MakePlan
) -> None:
    """One reservation is one request of the day, one of the minute, and a lease."""
    held = take(ledger, make_plan(), clock())
    assert used(ledger, make_plan(), clock()) == (1, 1, 1)
    assert (held.account, held.day, held.minute) == ("a", clock() // 86_400, clock() // 60)


def test_minute_is_exact(ledger: MemoryLedger, clock: FakeClock, make_plan: MakePlan) -> None:
    """The request after the last allowed one is refused, with the time of the reset."""
    clock.advance(12.5)
    answer(ledger, make_plan(), clock(), calls=3)
    with pytest.raises(MinuteLimitExceeded) as refused:
        take(ledger, make_plan(), clock())
    assert refused.value.retry_after == 48
    assert refused.value.extra == {
        "limit": 3,
        "daily_limit": 10,
        "remaining": 0,
        "reset_at": "2026-11-23T00:01:00Z",
    }


def test_day_is_exact(ledger: MemoryLedger, clock: FakeClock, make_plan: MakePlan) -> None:
    """The day refuses before the minute does, with its own fields."""
    plan = make_plan(requests_per_day=2, requests_per_minute=2)
    answer(ledger, plan, clock(), calls=2)
    with pytest.raises(DailyLimitExceeded) as refused:
        take(ledger, plan, clock())
    assert refused.value.retry_after == 86_400
    assert refused.value.extra["daily_limit"] == 2
    assert refused.value.extra["reset_at"] == "2026-11-24T00:00:00Z"


def test_every_refusal_tells_the_day(make_plan: MakePlan) -> None:
    """Any 429 includes `daily_limit`, whichever limit was exceeded."""
    taken = refusals.all_leases_taken(make_plan(requests_per_day=9, concurrency=1), 0, 1.0)
    assert taken.extra == {"limit": 1, "daily_limit": 9}
    assert "allows 1 request at the same time" in taken.message


def test_next_minute_is_open(ledger: MemoryLedger, clock: FakeClock, make_plan: MakePlan) -> None:
    """A used minute is open again after `retry_after` seconds; the day goes on counting."""
    answer(ledger, make_plan(), clock(), calls=3)
    clock.advance(60)
    answer(ledger, make_plan(), clock())
    assert used(ledger, make_plan(), clock()) == (4, 1, 0)


def test_refusal_charges_nothing(
    ledger: MemoryLedger, clock: FakeClock, make_plan: MakePlan
) -> None:
    """All or nothing: neither a used minute nor a lack of leases costs a request."""
    plan = make_plan(concurrency=1)
    take(ledger, plan, clock())
    stand(ledger, plan, clock(), lambda got: None)
    assert used(ledger, plan, clock()) == (1, 1, 1)


@pytest.mark.parametrize("counted", [True, False])
@pytest.mark.parametrize("minute_counted", [True, False])
def test_settle_gives_back(
    ledger: MemoryLedger, clock: FakeClock, make_plan: MakePlan, counted: bool, minute_counted: bool
) -> None:
    """A call that does not count leaves no trace in the counts."""
    held = take(ledger, make_plan(), clock())
    ledger.settle(held, counted=counted, minute_counted=minute_counted, now=clock())
    assert used(ledger, make_plan(), clock()) == (counted, minute_counted, 0)


def test_refund_stays_in_its_window(
    ledger: MemoryLedger, clock: FakeClock, make_plan: MakePlan
) -> None:
    """A call charged to an earlier minute refunds nothing to the current one."""
    held = take(ledger, make_plan(), clock())
    clock.advance(60)
    answer(ledger, make_plan(), clock())
    ledger.settle(held, counted=False, minute_counted=False, now=clock())
    assert used(ledger, make_plan(), clock()) == (1, 1, 0)


def test_second_settlement_is_a_defect(
    ledger: MemoryLedger, clock: FakeClock, make_plan: MakePlan
) -> None:
    """Settling twice raises an error and refunds nothing."""
    held = take(ledger, make_plan(), clock())
    ledger.settle(held, counted=True, minute_counted=True, now=clock())
    with pytest.raises(AlreadySettledError):
        ledger.settle(held, counted=False, minute_counted=False, now=clock())
    assert used(ledger, make_plan(), clock()) == (1, 1, 0)


def test_no_limits_at_all(ledger: MemoryLedger, clock: FakeClock, make_plan: MakePlan) -> None:
    """A plan without limits refuses nothing and still counts."""
    plan = make_plan(requests_per_day=None, requests_per_minute=None, concurrency=None)
    for _ in range(500):
        take(ledger, plan, clock())
    assert used(ledger, plan, clock()) == (500, 500, 500)


def test_clock_set_back_reopens_nothing(
    ledger: MemoryLedger, clock: FakeClock, make_plan: MakePlan
) -> None:
    """A clock set back reopens no used window, and the reported wait is the real one."""
    answer(ledger, make_plan(), clock(), calls=3)
    clock.advance(-30)
    with pytest.raises(MinuteLimitExceeded) as refused:
        take(ledger, make_plan(), clock())
    assert refused.value.retry_after == 90


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


def test_dead_lease_is_dropped(ledger: MemoryLedger, clock: FakeClock, make_plan: MakePlan) -> None:
    """A lease that nobody renews frees its place; one that is renewed does not."""
    dead, alive = (take(ledger, make_plan(), clock()) for _ in range(2))
    clock.advance(9)
    ledger.renew([alive], clock())
    clock.advance(2)
    ledger.tick(clock())
    assert used(ledger, make_plan(), clock())[2] == 1
    ledger.settle(dead, counted=False, minute_counted=False, now=clock())
    assert used(ledger, make_plan(), clock()) == (1, 1, 1)


def test_abandonment_is_braked(ledger: MemoryLedger, clock: FakeClock, make_plan: MakePlan) -> None:
    """The number of refunded abandoned calls per day is limited; the next day has a new limit."""
    held = take(ledger, make_plan(abandoned_refunds=2), clock())
    assert [ledger.may_refund_abandoned(held, clock()) for _ in range(3)] == [True, True, False]
    assert ledger.may_refund_abandoned(held, clock() + 86_400)


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


def test_line_is_first_come_first_served(
    ledger: MemoryLedger, clock: FakeClock, make_plan: MakePlan
) -> None:
    """A freed lease goes to the call that has waited longest."""
    plan = make_plan(concurrency=1, requests_per_minute=None)
    first = take(ledger, plan, clock())
    served: list[Reservation | ApiError] = []
    later: list[Reservation | ApiError] = []
    stand(ledger, plan, clock(), served.append)
    stand(ledger, plan, clock(), later.append)
    ledger.settle(first, counted=True, minute_counted=True, now=clock())
    assert isinstance(served[0], Reservation)
    assert later == []


def test_newcomer_does_not_overtake(
    ledger: MemoryLedger, clock: FakeClock, make_plan: MakePlan
) -> None:
    """While others wait, a newcomer waits too, even if its plan has grown meanwhile."""
    take(ledger, make_plan(concurrency=1), clock())
    stand(ledger, make_plan(concurrency=1), clock(), lambda got: None)
    stand(ledger, make_plan(concurrency=5), clock(), lambda got: None)


def test_cancelled_waiter_is_passed_over(
    ledger: MemoryLedger, clock: FakeClock, make_plan: MakePlan
) -> None:
    """A cancelled waiter is skipped; cancelling twice does no harm."""
    plan = make_plan(concurrency=1)
    held = take(ledger, plan, clock())
    got: list[object] = []
    waiter = stand(ledger, plan, clock(), got.append)
    waiter.cancel()
    waiter.cancel()
    ledger.settle(held, counted=True, minute_counted=True, now=clock())
    assert got == []
    assert used(ledger, plan, clock()) == (1, 1, 0)


def test_wait_ends(ledger: MemoryLedger, clock: FakeClock, make_plan: MakePlan) -> None:
    """After `concurrency_wait` a waiter gets an error, with a delay estimated from past calls."""
    plan = make_plan(concurrency=1, concurrency_wait=5.0)
    held = take(ledger, plan, clock())
    got: list[Reservation | ApiError] = []
    stand(ledger, plan, clock(), got.append)
    ledger.tick(clock() + 4.9)
    assert got == []
    ledger.tick(clock() + 5)
    assert isinstance(got[0], ConcurrencyExceeded)
    assert got[0].retry_after == 1
    assert held.settled is False


def test_line_is_bounded(ledger: MemoryLedger, clock: FakeClock, make_plan: MakePlan) -> None:
    """Twice the concurrency plus eight may wait; the next is refused at once."""
    plan = make_plan(concurrency=1)
    take(ledger, plan, clock())
    for _ in range(10):
        stand(ledger, plan, clock(), lambda got: None)
    with pytest.raises(ConcurrencyExceeded):
        stand(ledger, plan, clock(), lambda got: None)


def test_waiter_meets_a_used_minute(
    ledger: MemoryLedger, clock: FakeClock, make_plan: MakePlan
) -> None:
    """A freed lease is useless once the window is used up: the waiter gets that error."""
    plan = make_plan(concurrency=1, requests_per_minute=2)
    held = take(ledger, plan, clock())
    got: list[Reservation | ApiError] = []
    for _ in range(2):
        stand(ledger, plan, clock(), got.append)
    ledger.settle(held, counted=True, minute_counted=True, now=clock())
    assert isinstance(got[0], Reservation)
    ledger.settle(got[0], counted=True, minute_counted=True, now=clock())
    assert isinstance(got[1], MinuteLimitExceeded)


def test_waiter_is_charged_when_served(
    ledger: MemoryLedger, clock: FakeClock, make_plan: MakePlan
) -> None:
    """A lease freed in the next minute is charged to that minute, not to the one of arrival."""
    plan = make_plan(concurrency=1, requests_per_minute=2)
    held = take(ledger, plan, clock())
    got: list[Reservation | ApiError] = []
    stand(ledger, plan, clock(), got.append)
    clock.advance(60)
    ledger.settle(held, counted=True, minute_counted=True, now=clock())
    assert isinstance(got[0], Reservation)
    assert got[0].minute == held.minute + 1


def test_expired_lease_serves_the_line(
    ledger: MemoryLedger, clock: FakeClock, make_plan: MakePlan
) -> None:
    """An expired lease is given to the queue."""
    plan = make_plan(concurrency=1, concurrency_wait=60.0)
    take(ledger, plan, clock())
    got: list[Reservation | ApiError] = []
    stand(ledger, plan, clock(), got.append)
    ledger.tick(clock() + 11)
    assert isinstance(got[0], Reservation)


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
