"""Slots shared by gateways are never exceeded and are assigned in the queue's order."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.valkeys import ValkeyServer
from tests.waiting import PATIENCE, until

from oxlo.ledger import scripts
from oxlo.ledger.slots import SharedSlots, SlotRequest
from oxlo.plans import Priority
from oxlo.queue import DUE_STEP, ModelQueue, Waiting
from oxlo.testing.clock import FakeClock
from oxlo.valkey.client import Client

ONE = [("r1", 1)]


class Gateway:
    """A gateway's slots, and the outcomes it received."""

    def __init__(self, server: ValkeyServer, name: str, clock: FakeClock) -> None:
        loop = asyncio.get_running_loop()
        self.told: list[tuple[str, str, str]] = []
        self.client = Client(
            server.address,
            loop,
            scripts=scripts.ALL,
            channels=(f"oxlo:slots:{name}",),
            message=lambda channel, text: self.slots.message(text),
            timeout=PATIENCE,
        )
        self.slots = SharedSlots(self.client, loop, "site", name, clock=clock)

    async def ready(self) -> None:
        await until(lambda: self.client.connected)

    async def ask(
        self,
        call: str,
        *,
        level: Priority = Priority.HIGH,
        account: str = "a",
        cost: float = 1.0,
        replicas: list[tuple[str, int]] = ONE,
        limit: int = 100,
    ) -> SlotRequest:
        """Request a slot, and wait for the reply."""
        request = self.slots.prepare(
            call,
            "m",
            level=int(level),
            account=account,
            cost=cost,
            due_ms=int((max(Priority) + 1 - level) * DUE_STEP * 1000),
            limit=limit,
            replicas=replicas,
            then=lambda what, replica: self.told.append((call, what, replica)),
        )
        self.slots.send(request)
        await self.quiet()
        return request

    async def quiet(self) -> None:
        for _ in range(2):
            await self.client.ask(b"PING")

    async def beat(self, *held: SlotRequest) -> None:
        """Run the tick; those holding slots renew them."""
        for request in held:
            request.expires = 0.0
        self.slots.tick(lambda model: ONE)
        await self.quiet()

    async def release(self, request: SlotRequest) -> None:
        request.release()
        await self.quiet()

    def taken(self) -> list[str]:
        """The calls that got a slot, in order."""
        return [call for call, what, _ in self.told if what == "taken"]


@pytest.fixture
async def gateways(valkey: ValkeyServer, clock: FakeClock) -> AsyncIterator[list[Gateway]]:
    """Two gateways connected to an empty Valkey."""
    both = [Gateway(valkey, name, clock) for name in ("g1", "g2")]
    for gateway in both:
        await gateway.ready()
    await both[0].client.ask(b"FLUSHALL")
    yield both
    for gateway in both:
        await gateway.client.close()


async def test_no_more_than_there_are(gateways: list[Gateway]) -> None:
    """Two gateways take exactly a replica's slots; the next call goes to another replica."""
    replicas = [("r1", 2), ("r2", 1)]
    for number in range(4):
        await gateways[number % 2].ask(f"c{number}", replicas=replicas)
    assert gateways[0].told == [("c0", "taken", "r1"), ("c2", "taken", "r2")]
    assert gateways[1].told == [("c1", "taken", "r1"), ("c3", "waits", "")]


async def test_freed_slot_goes_to_the_first(gateways: list[Gateway]) -> None:
    """A slot freed by one gateway goes to the next waiting call of the other."""
    first, second = gateways
    held = await first.ask("c0")
    await second.ask("c1")
    await first.ask("c2")
    await first.release(held)
    await second.quiet()
    assert (first.taken(), second.taken()) == (["c0"], ["c1"])


async def test_late_reply_leaves_the_newer_request(gateways: list[Gateway]) -> None:
    """A call that asked for one slot, left, and asks for another keeps the second request."""
    slots = gateways[0].slots

    def request(model: str) -> SlotRequest:
        made = slots.prepare(
            "c0", model, level=4, account="a", cost=1.0, due_ms=0, limit=1, replicas=ONE,
            then=lambda what, replica: None,
        )  # fmt: skip
        slots.send(made)
        return made

    request("m").release()
    second = request("n")
    await gateways[0].quiet()
    assert second.replica == "r1"
    assert slots.requests == {"c0": second}


async def test_priority_holds_across_gateways(gateways: list[Gateway]) -> None:
    """A higher priority goes first, at whichever gateway and however late it arrived."""
    first, second = gateways
    held = await first.ask("c0")
    await first.ask("low", level=Priority.BEST_EFFORT)
    await second.ask("high", level=Priority.HIGHEST)
    await first.release(held)
    await second.quiet()
    assert (first.taken(), second.taken()) == (["c0"], ["high"])


async def test_who_left_is_passed_over(gateways: list[Gateway]) -> None:
    """A call that stopped waiting gets no slot."""
    first, second = gateways
    held = await first.ask("c0")
    gone = await second.ask("c1")
    await second.ask("c2")
    await second.release(gone)
    await first.release(held)
    await second.quiet()
    assert second.taken() == ["c2"]


async def test_left_before_the_answer(gateways: list[Gateway]) -> None:
    """A call that gave up before the reply arrived holds no slot."""
    first, second = gateways
    request = first.slots.prepare(
        "c0", "m", level=1, account="a", cost=1.0, due_ms=1, limit=9, replicas=ONE,
        then=lambda what, replica: first.told.append(("c0", what, replica)),
    )  # fmt: skip
    first.slots.send(request)
    await first.release(request)
    await second.ask("c1")
    assert (first.told, second.taken()) == ([], ["c1"])


async def test_full_line(gateways: list[Gateway]) -> None:
    """A full queue refuses calls of all gateways."""
    for number in range(4):
        await gateways[number % 2].ask(f"c{number}", limit=2)
    assert [what for _, what, _ in gateways[1].told] == ["waits", "full"]


async def test_dead_gateway_is_passed_over(gateways: list[Gateway], clock: FakeClock) -> None:
    """A silent gateway gets no slots, and those it holds expire."""
    dead, alive = gateways
    await dead.ask("c0")
    await dead.ask("c1")
    clock.advance(6)
    await alive.ask("c2")
    for _ in range(7):
        clock.advance(4)
        await alive.beat()
    assert alive.taken() == ["c2"]


async def test_renewed_slot_stays(gateways: list[Gateway], clock: FakeClock) -> None:
    """A call may run for longer than its lease, as long as its gateway lives."""
    first, second = gateways
    held = await first.ask("c0")
    for _ in range(10):
        clock.advance(20)
        await first.beat(held)
    await second.ask("c1")
    assert second.told == [("c1", "waits", "")]


async def test_flushed_line_is_made_again(gateways: list[Gateway]) -> None:
    """After a flush, slots are still held, and waiting calls join the queue again."""
    first, second = gateways
    held = await first.ask("c0")
    await second.ask("c1")
    await first.client.ask(b"FLUSHALL")
    await first.beat(held)
    await second.beat()
    assert second.taken() == []
    await first.release(held)
    await second.quiet()
    assert second.taken() == ["c1"]


arrivals = st.lists(
    st.tuples(
        st.sampled_from(list(Priority)), st.sampled_from("abc"), st.integers(1, 50),
        st.sampled_from([0.0, 3.0, 25.0]),
    ),
    min_size=1,
    max_size=14,
)  # fmt: skip


@given(arrivals=arrivals, paces=st.lists(st.sampled_from([0.0, 4.0, 30.0]), min_size=14))
@settings(max_examples=40)
def test_order_is_the_queues(
    valkey: ValkeyServer,
    arrivals: list[tuple[Priority, str, int, float]],
    paces: list[float],
) -> None:
    """In whatever order calls arrive, they are served as by a single gateway's queue."""
    with asyncio.Runner() as runner:
        runner.run(_same_order(valkey, arrivals, paces))


async def _same_order(
    server: ValkeyServer, arrivals: list[tuple[Priority, str, int, float]], paces: list[float]
) -> None:
    clock = FakeClock()
    gateway = Gateway(server, "g1", clock)
    await gateway.ready()
    await gateway.client.ask(b"FLUSHALL")
    queue: ModelQueue[str] = ModelQueue(100)
    held = await gateway.ask("first")
    for number, (level, account, cost, pause) in enumerate(arrivals):
        clock.advance(pause)
        await gateway.beat(held)
        await gateway.ask(f"c{number}", level=level, account=account, cost=float(cost))
        queue.push(
            Waiting(
                priority=level, account=account, cost=float(cost), enqueued_at=clock(),
                wait_limit=1e9, item=f"c{number}",
            )
        )  # fmt: skip
    expected = ["first"]
    for _, pause in zip(arrivals, paces, strict=False):
        clock.advance(pause)
        await gateway.beat(held)
        await gateway.release(held)
        served = queue.pop(clock())
        assert served is not None
        expected.append(served)
        assert gateway.taken() == expected
        held = gateway.slots.requests[served]
    await gateway.client.close()
