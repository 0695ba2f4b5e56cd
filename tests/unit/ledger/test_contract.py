"""The contract of every ledger, in memory and in Valkey."""

from collections.abc import AsyncIterator, Callable

import pytest
from tests.unit.ledger.driver import Driver, memory, shared
from tests.valkeys import ValkeyServer

from oxlo.errors import ApiError, ConcurrencyExceeded, DailyLimitExceeded, MinuteLimitExceeded
from oxlo.ledger import refusals
from oxlo.ledger.base import AlreadySettledError, Reservation
from oxlo.ledger.counted import Counted
from oxlo.plans import Plan
from oxlo.testing.clock import FakeClock

MakePlan = Callable[..., Plan]


@pytest.fixture(params=["memory", "valkey"])
async def driver(request: pytest.FixtureRequest, clock: FakeClock) -> AsyncIterator[Driver]:
    """An empty ledger."""
    if request.param == "memory":
        yield memory(clock)
        return
    server: ValkeyServer = request.getfixturevalue("valkey")
    driver = shared(server, clock)
    await driver.ledger.open()
    await driver.ledger.client.ask(b"FLUSHALL")  # type: ignore[attr-defined]
    yield driver
    await driver.ledger.close()


async def test_reservation_charges_everything(driver: Driver, make_plan: MakePlan) -> None:
    """One reservation is one request of the day, one of the minute, and a lease."""
    held = await driver.take(make_plan())
    assert await driver.used(make_plan()) == (1, 1, 1)
    assert (held.account, held.day, held.minute) == (
        "a",
        driver.clock() // 86_400,
        driver.clock() // 60,
    )


async def test_minute_is_exact(driver: Driver, make_plan: MakePlan) -> None:
    """The request after the last allowed one is refused, with the time of the reset."""
    driver.clock.advance(12.5)
    await driver.answer(make_plan(), 3)
    with pytest.raises(MinuteLimitExceeded) as refused:
        await driver.take(make_plan())
    assert refused.value.retry_after == 48
    assert refused.value.extra == {
        "limit": 3,
        "daily_limit": 10,
        "remaining": 0,
        "reset_at": "2026-11-23T00:01:00Z",
    }


async def test_next_minute_is_open(driver: Driver, make_plan: MakePlan) -> None:
    """A used minute is open again after it has passed; the day goes on counting."""
    await driver.answer(make_plan(), 3)
    driver.clock.advance(60)
    await driver.answer(make_plan())
    assert await driver.used(make_plan()) == (4, 1, 0)


async def test_refusal_charges_nothing(driver: Driver, make_plan: MakePlan) -> None:
    """All or nothing: a refused request uses neither the day, the minute nor a lease."""
    await driver.answer(make_plan(), 3)
    with pytest.raises(MinuteLimitExceeded):
        await driver.take(make_plan())
    assert await driver.used(make_plan()) == (3, 3, 0)


async def test_day_is_exact(driver: Driver, make_plan: MakePlan) -> None:
    """The day refuses before the minute does, with its own fields."""
    plan = make_plan(requests_per_day=2, requests_per_minute=2)
    await driver.answer(plan, 2)
    with pytest.raises(DailyLimitExceeded) as refused:
        await driver.take(plan)
    assert refused.value.retry_after == 86_400
    assert refused.value.extra["daily_limit"] == 2
    assert refused.value.extra["reset_at"] == "2026-11-24T00:00:00Z"


def test_every_refusal_has_the_daily_limit(make_plan: MakePlan) -> None:
    """Any 429 includes `daily_limit`, whichever limit was exceeded."""
    taken = refusals.all_leases_taken(make_plan(requests_per_day=9, concurrency=1), 0, 1.0)
    assert taken.extra == {"limit": 1, "daily_limit": 9}
    assert "allows 1 request at the same time" in taken.message


@pytest.mark.parametrize("counted", [True, False])
@pytest.mark.parametrize("minute_counted", [True, False])
async def test_settle_gives_back(
    driver: Driver, make_plan: MakePlan, counted: bool, minute_counted: bool
) -> None:
    """A call that does not count leaves no trace in the counts."""
    held = await driver.take(make_plan())
    await driver.settle(held, counted=counted, minute_counted=minute_counted)
    assert await driver.used(make_plan()) == (counted, minute_counted, 0)


async def test_refund_stays_in_its_window(driver: Driver, make_plan: MakePlan) -> None:
    """A call charged to an earlier minute refunds nothing to the current one."""
    held = await driver.take(make_plan())
    driver.clock.advance(60)
    await driver.renew(held)
    await driver.answer(make_plan())
    await driver.settle(held, counted=False, minute_counted=False)
    assert await driver.used(make_plan()) == (1, 1, 0)


async def test_second_settlement_is_a_defect(driver: Driver, make_plan: MakePlan) -> None:
    """Settling twice raises an error and refunds nothing."""
    held = await driver.take(make_plan())
    await driver.settle(held, counted=True, minute_counted=True)
    with pytest.raises(AlreadySettledError):
        await driver.settle(held, counted=False, minute_counted=False)
    assert await driver.used(make_plan()) == (1, 1, 0)


async def test_no_limits_at_all(driver: Driver, make_plan: MakePlan) -> None:
    """A plan without limits refuses nothing and still counts."""
    plan = make_plan(requests_per_day=None, requests_per_minute=None, concurrency=None)
    for _ in range(50):
        await driver.take(plan)
    assert await driver.used(plan) == (50, 50, 50)


async def test_clock_set_back_reopens_nothing(driver: Driver, make_plan: MakePlan) -> None:
    """A clock set back reopens no used window, and the reported wait is the real one."""
    await driver.answer(make_plan(), 3)
    driver.clock.advance(-30)
    with pytest.raises(MinuteLimitExceeded) as refused:
        await driver.take(make_plan())
    assert refused.value.retry_after == 90


async def test_a_wrong_clock_holds_nobody_for_long(driver: Driver, make_plan: MakePlan) -> None:
    """After a clock was wrongly a month ahead, a used window ends with the next real one."""
    plan = make_plan(requests_per_day=60)
    driver.clock.advance(30 * 86_400)
    await driver.answer(plan, 2)
    failing = await driver.take(plan)
    driver.clock.advance(-30 * 86_400)
    with pytest.raises(MinuteLimitExceeded) as refused:
        await driver.take(plan)
    assert refused.value.retry_after <= 120
    await driver.settle(failing, counted=False, minute_counted=False)
    assert await driver.used(plan) == (2, 2, 0)
    driver.clock.advance(120)
    await driver.answer(plan)
    assert await driver.used(plan) == (3, 1, 0)
    driver.clock.advance(2 * 86_400)
    assert await driver.used(plan) == (0, 0, 0)


async def test_dead_lease_is_dropped(driver: Driver, make_plan: MakePlan) -> None:
    """A lease that nobody renews frees its place; one that is renewed does not."""
    dead, alive = await driver.take(make_plan()), await driver.take(make_plan())
    driver.clock.advance(20)
    await driver.renew(alive)
    driver.clock.advance(11)
    await driver.tick()
    assert (await driver.used(make_plan()))[2] == 1
    await driver.settle(dead, counted=False, minute_counted=False)
    assert await driver.used(make_plan()) == (1, 1, 1)


async def test_dead_lease_may_count_yet(driver: Driver, make_plan: MakePlan) -> None:
    """A call that outlives its lease and succeeds still counts."""
    held = await driver.take(make_plan())
    driver.clock.advance(31)
    await driver.tick()
    await driver.settle(held, counted=True, minute_counted=True)
    assert await driver.used(make_plan()) == (1, 1, 0)


async def test_abandonment_is_braked(driver: Driver, make_plan: MakePlan) -> None:
    """The number of refunded abandoned calls per day is limited; the next day has a new limit."""
    plan = make_plan(abandoned_refunds=2, requests_per_minute=None, concurrency=None)
    for expected in (True, True, False):
        held = await driver.take(plan)
        refunded = driver.ledger.may_refund_abandoned(held, driver.clock())
        await driver.settle(held, counted=not refunded, minute_counted=True)
        assert refunded is expected
    driver.clock.advance(86_400)
    held = await driver.take(plan)
    assert driver.ledger.may_refund_abandoned(held, driver.clock())


async def test_line_is_first_come_first_served(driver: Driver, make_plan: MakePlan) -> None:
    """A freed lease goes to the call that has waited longest; a newcomer does not overtake."""
    plan = make_plan(concurrency=1, requests_per_minute=None)
    first = await driver.take(plan)
    waiting = [await driver.enqueue(plan) for _ in range(2)]
    await driver.enqueue(make_plan(concurrency=5))
    await driver.settle(first, counted=True, minute_counted=True)
    assert isinstance(waiting[0].got[0], Reservation)
    assert waiting[1].got == []


async def test_cancelled_waiter_is_passed_over(driver: Driver, make_plan: MakePlan) -> None:
    """A cancelled waiter is skipped; cancelling twice does no harm."""
    plan = make_plan(concurrency=1)
    held = await driver.take(plan)
    place = await driver.enqueue(plan)
    await driver.cancel(place)
    await driver.cancel(place)
    await driver.settle(held, counted=True, minute_counted=True)
    assert place.got == []
    assert await driver.used(plan) == (1, 1, 0)


async def test_wait_ends(driver: Driver, make_plan: MakePlan) -> None:
    """A waiter gets an error after `concurrency_wait`."""
    plan = make_plan(concurrency=1, concurrency_wait=5.0)
    await driver.take(plan)
    place = await driver.enqueue(plan)
    driver.clock.advance(4.9)
    await driver.tick()
    assert place.got == []
    driver.clock.advance(0.1)
    await driver.tick()
    assert isinstance(place.got[0], ConcurrencyExceeded)
    assert place.got[0].retry_after in (1, 2)  # only in memory it is estimated


async def test_line_is_bounded(driver: Driver, make_plan: MakePlan) -> None:
    """Twice the concurrency plus eight may wait; the next is refused at once."""
    plan = make_plan(concurrency=1)
    await driver.take(plan)
    for _ in range(10):
        await driver.enqueue(plan)
    with pytest.raises(ConcurrencyExceeded):
        await driver.ask(plan)


async def test_waiter_meets_a_used_minute(driver: Driver, make_plan: MakePlan) -> None:
    """A freed lease is useless once the window is used up: the waiter gets that error."""
    plan = make_plan(concurrency=1, requests_per_minute=2)
    held = await driver.take(plan)
    waiting = [await driver.enqueue(plan) for _ in range(2)]
    await driver.settle(held, counted=True, minute_counted=True)
    served = waiting[0].got[0]
    assert isinstance(served, Reservation)
    await driver.settle(served, counted=True, minute_counted=True)
    assert isinstance(waiting[1].got[0], MinuteLimitExceeded)


async def test_waiter_is_charged_when_served(driver: Driver, make_plan: MakePlan) -> None:
    """A lease freed in the next minute is charged to that minute, not to the one of arrival."""
    plan = make_plan(concurrency=1, requests_per_minute=2, concurrency_wait=120.0)
    held = await driver.take(plan)
    place = await driver.enqueue(plan)
    for _ in range(15):  # a gateway without a heartbeat would be passed over
        driver.clock.advance(4)
        await driver.renew(held)
        await driver.tick()
    await driver.settle(held, counted=True, minute_counted=True)
    (served,) = place.got
    assert isinstance(served, Reservation)
    assert served.minute == held.minute + 1


async def test_expired_lease_serves_the_line(driver: Driver, make_plan: MakePlan) -> None:
    """An expired lease is given to the queue."""
    plan = make_plan(concurrency=1, concurrency_wait=60.0)
    await driver.take(plan)
    place = await driver.enqueue(plan)
    for _ in range(8):
        driver.clock.advance(4)
        await driver.tick()
    assert isinstance(place.got[0], Reservation)


async def test_lost_charge_is_made_again(
    valkey: ValkeyServer, clock: FakeClock, make_plan: MakePlan
) -> None:
    """After Valkey lost its latest writes, renewals charge the calls in progress again."""
    driver = shared(valkey, clock)
    await driver.ledger.open()
    client = driver.ledger.client  # type: ignore[attr-defined]
    await client.ask(b"FLUSHALL")
    await driver.answer(make_plan())
    kept = await client.ask(b"DUMP", b"oxlo:{a}:counts")
    held = await driver.take(make_plan())
    await client.ask(b"RESTORE", b"oxlo:{a}:counts", b"0", kept, b"REPLACE")
    await client.ask(b"DEL", b"oxlo:{a}:leases", b"oxlo:{a}:open")
    assert await driver.used(make_plan()) == (1, 1, 0)
    await driver.renew(held)
    assert await driver.used(make_plan()) == (2, 2, 1)
    await driver.settle(held, counted=False, minute_counted=False)
    assert await driver.used(make_plan()) == (1, 1, 0)
    await driver.ledger.close()


async def test_ended_in_the_ms_of_the_count(
    valkey: ValkeyServer, clock: FakeClock, make_plan: MakePlan
) -> None:
    """A call in progress while Valkey is flushed counts, however soon after the recount it ends."""

    def count(
        account: str, day: int, minute: int, told: Callable[[Counted | ApiError], None]
    ) -> None:
        now = clock()
        told(Counted(day=day, day_used=0, minute=minute, minute_used=0, refunds=0, as_of=now))

    driver, plan = shared(valkey, clock, count=count), make_plan()
    await driver.ledger.open()
    client = driver.ledger.client  # type: ignore[attr-defined]
    await client.ask(b"FLUSHALL")
    held = await driver.take(plan)
    await client.ask(b"FLUSHALL")
    assert await driver.used(plan) == (0, 0, 0)
    clock.advance(0.0001)
    await driver.settle(held, counted=True, minute_counted=True)
    assert await driver.used(plan) == (1, 1, 0)
    await driver.ledger.close()
