"""Engine slots of gateways that share them in a real Valkey."""

import asyncio
import re
import time

import pytest
from tests.gateway.conftest import Platform, Start, chat, replica, stop_the_clock
from tests.gateway.shared import beat, begin, join, leases, ledger, queued, slots_taken, used
from tests.valkeys import ValkeyServer
from tests.waiting import PATIENCE, until

from oxlo.fleet import registry
from oxlo.fleet.registry import ReplicaList
from oxlo.ledger.records import Settled
from oxlo.ledger.slots import SharedSlots
from oxlo.testing.engine import EngineDouble, Script


async def test_slots_are_shared(start: Start, server: ValkeyServer) -> None:
    """Two gateways never give an engine more than it has slots; a higher plan goes first."""
    first = await begin(start, server)
    second = await join(first)
    for platform in (first, second):
        platform.replicas(first.engine, slots=1)
    keys = {plan: first.control.mint(plan, f"acct_{plan}") for plan in ("free", "premium")}
    first.engine.default = Script(gate="go")
    running = asyncio.create_task(first.chat())
    await first.engine.until(lambda e: e.outstanding == 1)
    low = asyncio.create_task(first.chat(key=keys["free"]))
    await until(lambda: queued(first) == 1)
    high = asyncio.create_task(second.chat(key=keys["premium"]))
    await until(lambda: queued(second) == 1)
    first.engine.next += [Script(gate="high"), Script(gate="low")]
    first.engine.gates["go"].set()
    assert (await running).status == 200
    await first.engine.until(lambda e: e.outstanding == 1)
    assert (queued(first), queued(second)) == (1, 0)
    for gate in ("high", "low"):
        first.engine.gates[gate].set()
    assert [(await call).status for call in (high, low)] == [200, 200]
    assert first.engine.peak == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_another_try_holds_a_lease(start: Start, server: ValkeyServer, stream: bool) -> None:
    """A call that failed at a replica gives its lease back and takes one where it goes."""
    first = await begin(start, server)
    second = await join(first)
    async with EngineDouble("openai") as other:
        for platform in (first, second):
            platform.replicas(first.engine, other, slots=1)
        first.engine.default = Script(status=500)
        other.default = Script(gate="go")
        running = asyncio.create_task(first.chat(stream=stream))
        await other.until(lambda e: e.outstanding == 1)
        assert await leases(first) == [0, 1]
        refused = await second.chat()  # the one is failing, the other taken
        assert (refused.status, refused.code) == (502, "engine_failed")
        assert await leases(second) == [0, 1]
        other.gates["go"].set()
        assert (await running).status == 200
        await until(lambda: not first.gateway.calls)
        assert await leases(first) == [0, 0]
        assert other.peak == 1


async def test_left_while_another_try_is_asked_for(start: Start, server: ValkeyServer) -> None:
    """A client that leaves between two tries leaves no lease, and the call does not count."""
    platform = await begin(start, server)
    async with EngineDouble("openai") as other:
        platform.replicas(platform.engine, other, slots=1)
        platform.engine.default = other.default = Script(status=500, gate="go")
        client = platform.client()
        await client.send("POST", "/v1/chat/completions", chat())
        await until(lambda: platform.engine.outstanding + other.outstanding == 1)
        for engine in (platform.engine, other):
            engine.gates["go"].set()
        call = next(iter(platform.gateway.calls))
        await until(lambda: call.avoid is not None)
        client.leave()
        await until(lambda: not platform.gateway.calls)
        assert await leases(platform) == [0, 0]
        assert not platform.record(Settled, call.id).counted


async def test_next_model_leaves_the_line_of_the_first(start: Start, server: ValkeyServer) -> None:
    """A call that falls back to another model leaves the first one's queue, and holds one lease."""
    first = await begin(start, server, queue_limit=1, engine_timeout=1e9)
    second = await join(first)
    async with EngineDouble("openai") as other:
        listed = (
            replica(first.engine, "costly-0", "costly", slots=1),
            replica(other, "d", "double"),
        )
        registry.write(first.gateway.settings.replicas_file, ReplicaList(time.time(), listed))
        for platform in (first, second):
            platform.gateway.backends.refresh()
        first.engine.default, other.default = Script(gate="go"), Script(gate="go")
        chain = {"model": "costly", "models": ["double"]}
        calls = [asyncio.create_task(first.chat(**chain))]
        await first.engine.until(lambda e: e.outstanding == 1)
        calls.append(asyncio.create_task(first.chat(**chain)))
        await until(lambda: queued(first) == 1)
        calls.append(asyncio.create_task(second.chat(**chain)))  # its line is full everywhere
        await other.until(lambda e: e.outstanding == 1)
        clock = first.gateway.clock
        first.gateway.clock = lambda: clock() + 3600
        first.gateway.sweep()  # its time in the line is over
        await other.until(lambda e: e.outstanding == 2)
        for engine in (first.engine, other):
            engine.gates["go"].set()
        told = [(await call).headers.get("x-oxlo-tried") for call in calls]
        assert told == [None, "costly=queue_timeout", "costly=queue_full"]
        await until(lambda: not first.gateway.calls and not second.gateway.calls)
        client, site = ledger(first).client, first.gateway.settings.site
        for key in ("costly}:taken:costly-0", "costly}:line", "double}:taken:d", "double}:line"):
            assert await client.ask(b"ZCARD", f"oxlo:slots:{{{site}/{key}".encode()) == 0


async def test_place_is_that_of_the_shared_line(start: Start, server: ValkeyServer) -> None:
    """A call behind those of another gateway gets its position in the shared queue."""
    first = await begin(start, server)
    second = await join(first)
    for platform in (first, second):
        platform.replicas(first.engine, slots=1)
    first.engine.default = Script(gate="go")
    calls = [asyncio.create_task(first.chat())]
    await first.engine.until(lambda e: e.outstanding == 1)
    calls.append(asyncio.create_task(first.chat()))
    await until(lambda: queued(first) == 1)
    client = second.client()
    await client.send("POST", "/v1/chat/completions", chat(stream=True))
    await until(lambda: queued(second) == 1)
    beating = [asyncio.create_task(beat(each)) for each in (first, second)]
    scheduler, (waiting,) = second.gateway.scheduler, second.gateway.calls
    await until(lambda: scheduler.place_of(waiting) == 2)
    clock = second.gateway.clock
    second.gateway.clock = lambda: clock() + 11
    told = await asyncio.wait_for(client.reader.readuntil(b"place 2"), PATIENCE)
    assert told.startswith(b"HTTP/1.1 200")
    first.engine.gates["go"].set()
    assert [(await call).status for call in calls] == [200, 200]
    assert b"[DONE]" in await client.reader.read()
    for each in beating:
        each.cancel()


async def test_slots_without_valkey(start: Start, server: ValkeyServer) -> None:
    """A call that waits for a slot when Valkey dies is served all the same."""
    platform = await begin(start, server)
    platform.replicas(platform.engine, slots=1)
    platform.engine.default = Script(gate="go")
    calls = [asyncio.create_task(platform.chat()) for _ in range(2)]
    await platform.engine.until(lambda e: e.outstanding == 1)
    await until(lambda: queued(platform) == 1)
    server.kill()
    await until(lambda: not ledger(platform).client.connected)
    platform.engine.gates["go"].set()
    beating = asyncio.create_task(beat(platform))
    assert [(await call).status for call in calls] == [200, 200]
    beating.cancel()


async def evalshas(platform: Platform) -> int:
    """Scripts that Valkey has run."""
    told = await ledger(platform).client.ask(b"INFO", b"commandstats")
    found = re.search(r"cmdstat_evalsha:calls=(\d+)", str(told))
    return int(found[1]) if found else 0


async def test_two_steps(start: Start, server: ValkeyServer) -> None:
    """A call is two steps in Valkey: one admits it and takes its slot, one settles and frees it."""
    platform = await begin(start, server)
    assert (await platform.chat()).status == 200
    await until(lambda: not ledger(platform).settlements.unsettled)
    before = await evalshas(platform)
    assert (await platform.chat()).status == 200
    await until(lambda: not ledger(platform).settlements.unsettled)
    assert await evalshas(platform) - before == 2
    assert await slots_taken(platform) == 0


def slots(platform: Platform) -> SharedSlots:
    found = ledger(platform).slots
    assert found is not None
    return found


async def test_refused_takes_no_slot(start: Start, server: ValkeyServer) -> None:
    """A call that its account's limits refuse has no slot, nor one that waits for a lease."""
    platform = await begin(start, server)
    key = platform.control.mint("free", "acct_f")
    stop_the_clock(platform)
    platform.engine.next.append(Script(gate="go"))
    running = asyncio.create_task(platform.chat(key=key))
    await platform.engine.until(lambda e: e.outstanding == 1)
    waiting = [asyncio.create_task(platform.chat(key=key)) for _ in range(4)]
    await until(lambda: sum(a.standing for a in ledger(platform).admissions.pending.values()) == 4)
    assert await slots_taken(platform) == 1
    platform.engine.gates["go"].set()
    assert {answer.status for answer in await asyncio.gather(running, *waiting)} == {200}
    assert (await platform.chat(key=key)).code == "minute_limit_exceeded"
    await until(lambda: not ledger(platform).settlements.unsettled)
    assert await slots_taken(platform) == 0
    assert not slots(platform).requests


async def test_left_before_admission(start: Start, server: ValkeyServer) -> None:
    """A client that leaves before Valkey has answered leaves no lease and no slot behind."""
    platform = await begin(start, server)
    stop_the_clock(platform)
    key = platform.control.mint("free", "acct_f")
    assert (await platform.chat(key=key)).status == 200
    await until(lambda: not ledger(platform).settlements.unsettled)
    server.stop()
    client = platform.client(key)
    await client.send("POST", "/v1/chat/completions", chat())
    await until(lambda: len(ledger(platform).admissions.pending) == 1)
    client.leave()
    await until(lambda: not ledger(platform).admissions.pending)
    server.resume()
    await until(lambda: not ledger(platform).settlements.unsettled)
    assert await slots_taken(platform) == 0
    assert (await used(platform, key))[::2] == (1, 0)


async def test_counted_and_placed(start: Start, server: ValkeyServer) -> None:
    """Of an account that Valkey does not know the first call has one slot when it is admitted."""
    platform = await begin(start, server)
    platform.engine.next.append(Script(gate="go"))
    call = asyncio.create_task(platform.chat(key=platform.control.mint("free", "acct_new")))
    platform.gateway.sweep()
    await platform.engine.until(lambda e: e.outstanding == 1)
    assert await slots_taken(platform) == 1
    platform.engine.gates["go"].set()
    assert (await call).status == 200
    await until(lambda: not ledger(platform).settlements.unsettled)
    assert await slots_taken(platform) == 0
