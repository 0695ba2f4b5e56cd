"""The contract of every ledger, in memory and in Valkey."""

from collections.abc import AsyncIterator, Callable

import pytest
from tests.unit.ledger.desks import Desk, memory, shared
from tests.valkeys import ValkeyServer

from oxlo.errors import ApiError, ConcurrencyExceeded, DailyLimitExceeded, MinuteLimitExceeded
from oxlo.ledger.base import AlreadySettledError, Reservation
from oxlo.ledger.counted import Counted
from oxlo.plans import Plan
from oxlo.testing.clock import FakeClock

MakePlan = Callable[..., Plan]


@pytest.fixture(params=["memory", "valkey"])
async def desk(request: pytest.FixtureRequest, clock: FakeClock) -> AsyncIterator[Desk]:
    """An empty ledger."""
    if request.param == "memory":
        yield memory(clock)
        return
    server: ValkeyServer = request.getfixturevalue("valkey")
    desk = shared(server, clock)
    await desk.ledger.open()
    await desk.ledger.client.ask(b"FLUSHALL")  # type: ignore[attr-defined]
    yield desk
    await desk.ledger.close()


async def test_reservation_charges_everything(desk: Desk, make_plan: MakePlan) -> None:
    """One reservation is one request of the day, one of the minute, and a lease."""
    held = await desk.take(make_plan())
    assert await desk.used(make_plan()) == (1, 1, 1)
    assert (held.account, held.day, held.minute) == (
        "a",
        desk.clock() // 86_400,
        desk.clock() // 60,
    )


async def test_minute_is_exact(desk: Desk, make_plan: MakePlan) -> None:
    """The request after the last allowed one is refused, with the time of the reset."""
    desk.clock.advance(12.5)
    await desk.answer(make_plan(), 3)
    with pytest.raises(MinuteLimitExceeded) as refused:
        await desk.take(make_plan())
    assert refused.value.retry_after == 48
    assert refused.value.extra["reset_at"] == "2026-11-23T00:01:00Z"


async def test_day_is_exact(desk: Desk, make_plan: MakePlan) -> None:
    """The day refuses before the minute does."""
    plan = make_plan(requests_per_day=2, requests_per_minute=2)
    await desk.answer(plan, 2)
    with pytest.raises(DailyLimitExceeded) as refused:
        await desk.take(plan)
    assert refused.value.retry_after == 86_400


@pytest.mark.parametrize("counted", [True, False])
@pytest.mark.parametrize("minute_counted", [True, False])
async def test_settle_gives_back(
    desk: Desk, make_plan: MakePlan, counted: bool, minute_counted: bool
) -> None:
    """A call that does not count leaves no trace in the counts."""
    held = await desk.take(make_plan())
    await desk.settle(held, counted=counted, minute_counted=minute_counted)
    assert await desk.used(make_plan()) == (counted, minute_counted, 0)


async def test_refund_stays_in_its_window(desk: Desk, make_plan: MakePlan) -> None:
    """A call charged to an earlier minute refunds nothing to the current one."""
    held = await desk.take(make_plan())
    desk.clock.advance(60)
    await desk.renew(held)
    await desk.answer(make_plan())
    await desk.settle(held, counted=False, minute_counted=False)
    assert await desk.used(make_plan()) == (1, 1, 0)


async def test_second_settlement_is_a_defect(desk: Desk, make_plan: MakePlan) -> None:
    """Settling twice raises an error and refunds nothing."""
    held = await desk.take(make_plan())
    await desk.settle(held, counted=True, minute_counted=True)
    with pytest.raises(AlreadySettledError):
        await desk.settle(held, counted=False, minute_counted=False)
    assert await desk.used(make_plan()) == (1, 1, 0)


async def test_no_limits_at_all(desk: Desk, make_plan: MakePlan) -> None:
    """A plan without limits refuses nothing and still counts."""
    plan = make_plan(requests_per_day=None, requests_per_minute=None, concurrency=None)
    for _ in range(50):
        await desk.take(plan)
    assert await desk.used(plan) == (50, 50, 50)


async def test_clock_set_back_reopens_nothing(desk: Desk, make_plan: MakePlan) -> None:
    """A clock set back reopens no used window, and the reported wait is the real one."""
    await desk.answer(make_plan(), 3)
    desk.clock.advance(-30)
    with pytest.raises(MinuteLimitExceeded) as refused:
        await desk.take(make_plan())
    assert refused.value.retry_after == 90


async def test_a_wrong_clock_holds_nobody_for_long(desk: Desk, make_plan: MakePlan) -> None:
    """After a clock was wrongly a month ahead, a used window ends with the next real one."""
    plan = make_plan(requests_per_day=60)
    desk.clock.advance(30 * 86_400)
    await desk.answer(plan, 2)
    failing = await desk.take(plan)
    desk.clock.advance(-30 * 86_400)
    with pytest.raises(MinuteLimitExceeded) as refused:
        await desk.take(plan)
    assert refused.value.retry_after <= 120
    await desk.settle(failing, counted=False, minute_counted=False)
    assert await desk.used(plan) == (2, 2, 0)
    desk.clock.advance(120)
    await desk.answer(plan)
    assert await desk.used(plan) == (3, 1, 0)
    desk.clock.advance(2 * 86_400)
    assert await desk.used(plan) == (0, 0, 0)


async def test_dead_lease_is_dropped(desk: Desk, make_plan: MakePlan) -> None:
    """A lease that nobody renews frees its place; one that is renewed does not."""
    dead, alive = await desk.take(make_plan()), await desk.take(make_plan())
    desk.clock.advance(20)
    await desk.renew(alive)
    desk.clock.advance(11)
    await desk.tick()
    assert (await desk.used(make_plan()))[2] == 1
    await desk.settle(dead, counted=False, minute_counted=False)
    assert await desk.used(make_plan()) == (1, 1, 1)


async def test_dead_lease_may_count_yet(desk: Desk, make_plan: MakePlan) -> None:
    """A call that outlives its lease and succeeds still counts."""
    held = await desk.take(make_plan())
    desk.clock.advance(31)
    await desk.tick()
    await desk.settle(held, counted=True, minute_counted=True)
    assert await desk.used(make_plan()) == (1, 1, 0)


async def test_abandonment_is_braked(desk: Desk, make_plan: MakePlan) -> None:
    """The number of refunded abandoned calls per day is limited; the next day has a new limit."""
    plan = make_plan(abandoned_refunds=2, requests_per_minute=None, concurrency=None)
    for expected in (True, True, False):
        held = await desk.take(plan)
        refunded = desk.ledger.may_refund_abandoned(held, desk.clock())
        await desk.settle(held, counted=not refunded, minute_counted=True)
        assert refunded is expected
    desk.clock.advance(86_400)
    held = await desk.take(plan)
    assert desk.ledger.may_refund_abandoned(held, desk.clock())


async def test_line_is_first_come_first_served(desk: Desk, make_plan: MakePlan) -> None:
    """A freed lease goes to the call that has waited longest; a newcomer does not overtake."""
    plan = make_plan(concurrency=1, requests_per_minute=None)
    first = await desk.take(plan)
    places = [await desk.stand(plan) for _ in range(2)]
    await desk.stand(make_plan(concurrency=5))
    await desk.settle(first, counted=True, minute_counted=True)
    assert isinstance(places[0].got[0], Reservation)
    assert places[1].got == []


async def test_cancelled_waiter_is_passed_over(desk: Desk, make_plan: MakePlan) -> None:
    """A cancelled waiter is skipped; cancelling twice does no harm."""
    plan = make_plan(concurrency=1)
    held = await desk.take(plan)
    place = await desk.stand(plan)
    await desk.cancel(place)
    await desk.cancel(place)
    await desk.settle(held, counted=True, minute_counted=True)
    assert place.got == []
    assert await desk.used(plan) == (1, 1, 0)


async def test_wait_ends(desk: Desk, make_plan: MakePlan) -> None:
    """A waiter gets an error after `concurrency_wait`."""
    plan = make_plan(concurrency=1, concurrency_wait=5.0)
    await desk.take(plan)
    place = await desk.stand(plan)
    desk.clock.advance(4.9)
    await desk.tick()
    assert place.got == []
    desk.clock.advance(0.1)
    await desk.tick()
    assert isinstance(place.got[0], ConcurrencyExceeded)
    assert place.got[0].retry_after is not None


async def test_line_is_bounded(desk: Desk, make_plan: MakePlan) -> None:
    """Twice the concurrency plus eight may wait; the next is refused at once."""
    plan = make_plan(concurrency=1)
    await desk.take(plan)
    for _ in range(10):
        await desk.stand(plan)
    with pytest.raises(ConcurrencyExceeded):
        await desk.ask(plan)


async def test_waiter_meets_a_used_minute(desk: Desk, make_plan: MakePlan) -> None:
    """A freed lease is useless once the window is used up: the waiter gets that error."""
    plan = make_plan(concurrency=1, requests_per_minute=2)
    held = await desk.take(plan)
    places = [await desk.stand(plan) for _ in range(2)]
    await desk.settle(held, counted=True, minute_counted=True)
    served = places[0].got[0]
    assert isinstance(served, Reservation)
    await desk.settle(served, counted=True, minute_counted=True)
    assert isinstance(places[1].got[0], MinuteLimitExceeded)


async def test_expired_lease_serves_the_line(desk: Desk, make_plan: MakePlan) -> None:
    """An expired lease is given to the queue."""
    plan = make_plan(concurrency=1, concurrency_wait=60.0)
    await desk.take(plan)
    place = await desk.stand(plan)
    for _ in range(8):
        desk.clock.advance(4)
        await desk.tick()
    assert isinstance(place.got[0], Reservation)


async def test_lost_charge_is_made_again(
    valkey: ValkeyServer, clock: FakeClock, make_plan: MakePlan
) -> None:
    """After Valkey lost its latest writes, renewals charge the calls in progress again."""
    desk = shared(valkey, clock)
    await desk.ledger.open()
    client = desk.ledger.client  # type: ignore[attr-defined]
    await client.ask(b"FLUSHALL")
    await desk.answer(make_plan())
    kept = await client.ask(b"DUMP", b"oxlo:{a}:counts")
    held = await desk.take(make_plan())
    await client.ask(b"RESTORE", b"oxlo:{a}:counts", b"0", kept, b"REPLACE")
    await client.ask(b"DEL", b"oxlo:{a}:leases", b"oxlo:{a}:open")
    assert await desk.used(make_plan()) == (1, 1, 0)
    await desk.renew(held)
    assert await desk.used(make_plan()) == (2, 2, 1)
    await desk.settle(held, counted=False, minute_counted=False)
    assert await desk.used(make_plan()) == (1, 1, 0)
    await desk.ledger.close()


async def test_ended_in_the_ms_of_the_count(
    valkey: ValkeyServer, clock: FakeClock, make_plan: MakePlan
) -> None:
    """A call in progress while Valkey is flushed counts, however soon after the recount it ends."""

    def count(
        account: str, day: int, minute: int, told: Callable[[Counted | ApiError], None]
    ) -> None:
        now = clock()
        told(Counted(day=day, day_used=0, minute=minute, minute_used=0, refunds=0, as_of=now))

    desk, plan = shared(valkey, clock, count=count), make_plan()
    await desk.ledger.open()
    client = desk.ledger.client  # type: ignore[attr-defined]
    await client.ask(b"FLUSHALL")
    held = await desk.take(plan)
    await client.ask(b"FLUSHALL")
    assert await desk.used(plan) == (0, 0, 0)
    clock.advance(0.0001)
    await desk.settle(held, counted=True, minute_counted=True)
    assert await desk.used(plan) == (1, 1, 0)
    await desk.ledger.close()
