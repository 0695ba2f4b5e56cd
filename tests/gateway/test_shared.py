"""Gateways that share their limits in a real Valkey."""

import asyncio
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog.testing
from tests.gateway.conftest import Answer, Platform, Start, chat, replica, stop_the_clock
from tests.valkeys import ValkeyServer
from tests.waiting import PATIENCE, clear_of_midnight, until

from oxlo import catalogue, plans
from oxlo.fleet import registry
from oxlo.fleet.registry import ReplicaList
from oxlo.gateway.gateway import Gateway
from oxlo.gateway.http import protocols
from oxlo.gateway.idempotency.valkey_answers import ValkeyAnswers
from oxlo.ledger.base import Reservation
from oxlo.ledger.records import Settled
from oxlo.ledger.shared import SharedLedger
from oxlo.ledger.slots import SharedSlots
from oxlo.testing.engine import EngineDouble, Script


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """A Valkey of the test's own, which it may hurt."""
    server = ValkeyServer(tmp_path_factory.mktemp("v")).start()
    yield server
    server.kill()


async def join(platform: Platform, name: str = "g2") -> Platform:
    """Another gateway of the same installation."""
    settings, loop = platform.gateway.settings, asyncio.get_running_loop()
    models = catalogue.load(settings.catalogue_dir)
    gateway = Gateway(settings, models, plans.load(), loop, name)
    gateway.recover()
    await gateway.connect()
    gateway.backends.refresh()
    listener = await loop.create_server(protocols(gateway.server), "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    other = Platform(gateway, platform.control, platform.engine, port)

    async def end() -> None:
        for client in other.clients:
            client.leave()
        listener.close()
        await gateway.drain()
        gateway.close()
        await gateway.disconnect()

    platform.on_end(end)
    return other


async def begin(start: Start, server: ValkeyServer, **fields: object) -> Platform:
    """A gateway that is connected, and has the patience of a busy machine."""
    platform = await start(**{"valkey_url": server.url, "valkey_timeout": PATIENCE} | fields)
    await platform.gateway.connect()
    return platform


def ledger(platform: Platform) -> SharedLedger:
    found = platform.gateway.ledger
    assert isinstance(found, SharedLedger)
    return found


async def beat(platform: Platform) -> None:
    """The gateway's heartbeat, faster."""
    while True:
        platform.gateway.sweep()
        await asyncio.sleep(0.05)


async def used(platform: Platform, key: str) -> tuple[int, int, int]:
    """Day, minute and leases, as reported to the account."""
    said = (await platform.call("GET", "/v1/limits", key=key)).json()
    return said["day"]["used"], said["minute"]["used"], said["concurrency"]["in_use"]


async def test_two_gateways_are_exact(start: Start, server: ValkeyServer) -> None:
    """Forty calls at two gateways at once: the minute's five are answered, and not one more."""
    first = await begin(start, server)
    second = await join(first)
    stop_the_clock(first)
    stop_the_clock(second)
    key = first.control.mint("free", "acct_f")
    answers = [await asyncio.gather(first.chat(key=key), second.chat(key=key)) for _ in range(10)]
    statuses = [answer.status for pair in answers for answer in pair]
    assert statuses.count(200) == 5
    assert {a.code for pair in answers for a in pair if a.status != 200} == {
        "minute_limit_exceeded"
    }
    assert await used(second, key) == (5, 5, 0)


async def test_line_is_shared(start: Start, server: ValkeyServer) -> None:
    """Over its concurrency an account waits in one line, whichever gateway its calls came to."""
    first = await begin(start, server)
    second = await join(first)
    stop_the_clock(first)
    stop_the_clock(second)
    key = first.control.mint("free", "acct_f")
    first.engine.default = Script(gate="go")
    calls = [asyncio.create_task(first.chat(key=key))]
    await first.engine.until(lambda e: e.outstanding == 1)
    for platform in (second, first):
        calls.append(asyncio.create_task(platform.chat(key=key)))
        await until(
            lambda p=platform: any(a.standing for a in ledger(p).admissions.pending.values())
        )
    first.engine.gates["go"].set()
    answers = await asyncio.gather(*calls)
    assert [answer.status for answer in answers] == [200] * 3
    assert first.engine.peak == 1
    assert await used(first, key) == (3, 3, 0)


async def test_flushed_day_is_counted_again(start: Start, server: ValkeyServer) -> None:
    """A Valkey that knows nothing of an account asks its records before it admits a call."""
    platform = await begin(start, server)
    key = platform.control.mint("free", "acct_f")
    platform.control.counted["acct_f"] = (58, 0)
    stop_the_clock(platform)
    answers = await asyncio.gather(*(platform.chat(key=key) for _ in range(4)))
    assert [answer.status for answer in answers].count(200) == 2
    assert platform.control.countings == ["acct_f"]  # all waiting calls shared one lookup
    platform.control.counted["acct_f"] = (60, 2)
    await ledger(platform).client.ask(b"FLUSHALL")
    refused = await platform.chat(key=key)
    assert (refused.status, refused.code) == (429, "daily_limit_exceeded")


async def test_flushed_while_running(start: Start, server: ValkeyServer) -> None:
    """A call that runs while Valkey is flushed is counted once when it ends."""
    platform = await begin(start, server)
    key = platform.control.mint("free", "acct_f")
    stop_the_clock(platform)
    platform.engine.next.append(Script(gate="go"))
    running = asyncio.create_task(platform.chat(key=key))
    await platform.engine.until(lambda e: e.outstanding == 1)
    await ledger(platform).client.ask(b"FLUSHALL")
    assert (await platform.chat(key=key)).status == 200
    platform.engine.gates["go"].set()
    assert (await running).status == 200
    assert await used(platform, key) == (2, 2, 0)


async def test_forgotten_scripts_are_loaded_again(start: Start, server: ValkeyServer) -> None:
    """A Valkey that lost its scripts gets them again, without an error."""
    platform = await begin(start, server)
    await ledger(platform).client.ask(b"SCRIPT", b"FLUSH")
    assert (await platform.chat()).status == 200


async def test_closed_without_valkey(start: Start, server: ValkeyServer) -> None:
    """With `closed`, no call is admitted, and the client gets a Retry-After."""
    platform = await begin(start, server)
    stop_the_clock(platform)
    key = platform.control.mint("free", "acct_f")
    assert (await platform.chat(key=key)).status == 200
    server.kill()
    await until(lambda: not ledger(platform).client.connected)
    refused = await platform.chat(key=key)
    assert (refused.status, refused.code) == (503, "limits_unavailable")
    assert refused.headers["retry-after"] == "2"
    assert platform.gateway.ledger.health()[0] is False
    server.start()
    await until(lambda: ledger(platform).client.connected)
    assert (await platform.chat(key=key)).status == 200
    assert (await used(platform, key))[0] == 2  # it had written down what it knew


async def test_open_without_valkey(start: Start, server: ValkeyServer) -> None:
    """`open`: the gateway counts on from what it knew, and tells Valkey when it is back."""
    platform = await begin(start, server, limits_when_store_is_down="open")
    key = platform.control.mint("free", "acct_f")
    stop_the_clock(platform)
    for _ in range(2):
        assert (await platform.chat(key=key)).status == 200
    server.kill()
    await until(lambda: not ledger(platform).client.connected)
    answers = [await platform.chat(key=key) for _ in range(5)]
    assert [answer.status for answer in answers] == [200] * 3 + [429] * 2
    server.start()
    await until(
        lambda: ledger(platform).client.connected and not ledger(platform).settlements.unsettled
    )
    assert (await used(platform, key))[:2] == (5, 5)


async def test_slow_valkey_times_out(start: Start, server: ValkeyServer) -> None:
    """A Valkey that does not answer costs a call its time-out; what it did late is undone."""
    platform = await begin(start, server)
    key = platform.control.mint("free", "acct_f")
    stop_the_clock(platform)
    assert (await platform.chat(key=key)).status == 200
    client = ledger(platform).client
    assert client._wire
    client._wire._timeout = client._timeout = 0.3
    client._wire._check()  # ends the wait that has begun with the old one
    server.stop()
    refused = await platform.chat(key=key)
    assert (refused.status, refused.code) == (503, "limits_unavailable")
    client._timeout = PATIENCE
    server.resume()
    await until(
        lambda: ledger(platform).client.connected and not ledger(platform).settlements.unsettled
    )
    assert await used(platform, key) == (1, 1, 0)


async def test_dead_gateway_frees_its_leases(start: Start, server: ValkeyServer) -> None:
    """A dead gateway's leases are freed and refunded after one lease duration."""
    clear_of_midnight()
    platform = await begin(start, server)
    plan = plans.load()["free"]
    loop = asyncio.get_running_loop()
    dead = SharedLedger(
        server.address, loop, "dead", count=platform.gateway.lookup.counted,
        lease_seconds=0.5,
    )  # fmt: skip
    await dead.open()
    got: list[object] = []
    dead.reserve("req_dead", "acct_f", plan, time.time(), got.append)
    await until(lambda: bool(got))
    assert isinstance(got[0], Reservation)
    await dead.close()
    key = platform.control.mint("free", "acct_f")
    beating = asyncio.create_task(beat(platform))
    assert (await platform.chat(key=key)).status == 200  # it waited in line for that lease
    assert (await used(platform, key))[0] == 1
    beating.cancel()


async def test_leases_outlast_a_clock_set_back(start: Start, server: ValkeyServer) -> None:
    """A gateway whose clock is set back goes on to renew what its calls hold."""
    platform = await begin(start, server)
    platform.engine.next.append(Script(gate="go"))
    client = platform.client(platform.control.mint("free", "acct_f"))
    await client.send("POST", "/v1/chat/completions", chat())
    await platform.engine.until(lambda engine: engine.outstanding == 1)
    valkey, leases = ledger(platform).client, b"oxlo:{acct_f}:leases"
    (call,) = await valkey.ask(b"ZRANGE", leases, b"0", b"-1")
    await valkey.ask(b"ZADD", leases, b"1", call)  # it is about to end
    wall = platform.gateway.wall
    platform.gateway.wall = lambda: wall() - 3600
    platform.gateway.sweep()
    assert float(await valkey.ask(b"ZSCORE", leases, call)) > 1
    platform.engine.gates["go"].set()
    assert (await client.answer()).status == 200


async def test_changes_are_told(start: Start, server: ValkeyServer) -> None:
    """A key that was revoked is refused by every gateway as soon as one has heard of it."""
    first = await begin(start, server)
    second = await join(first)
    key = first.control.mint("free", "acct_f")
    assert (await second.chat(key=key)).status == 200
    first.control.change(key, None)
    first.gateway.sweep()
    await until(lambda: second.gateway.keys.change == first.control.counter)
    assert (await second.chat(key=key)).status == 401


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


async def leases(platform: Platform) -> list[int]:
    """Leases of slots at each of the replicas `double-0` and `double-1`."""
    client, site = ledger(platform).client, platform.gateway.settings.site
    replicas = ("double-0", "double-1")
    taken = [f"oxlo:slots:{{{site}/double}}:taken:{name}".encode() for name in replicas]
    return [await client.ask(b"ZCARD", key) for key in taken]


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


def queued(platform: Platform) -> int:
    return sum(len(group.queue) for group in platform.gateway.backends.groups())


async def test_wrong_address_is_refused(start: Start, tmp_path: Path) -> None:
    """A URL that names no Valkey stops the start, in words that name no password."""
    from oxlo.settings import SettingsError

    with pytest.raises(SettingsError, match="OXLO_VALKEY_URL takes") as refused:
        await start(valkey_url="http://user:hunter2@x")
    assert "hunter2" not in str(refused.value)


async def keyed(platform: Platform, name: str = "k1", **fields: object) -> Answer:
    """A chat with an idempotency key."""
    headers = {"idempotency-key": name}
    return await platform.call("POST", "/v1/chat/completions", chat(**fields), headers)


@pytest.mark.parametrize("stream", [False, True])
async def test_answers_are_shared(start: Start, server: ValkeyServer, stream: bool) -> None:
    """A call that is repeated at another gateway is not made again, and counts once."""
    first = await begin(start, server)
    second = await join(first)
    made = await keyed(first, stream=stream)
    await until(lambda: not first.gateway.idempotency.running)
    again = await keyed(second, stream=stream)
    assert (again.status, again.body) == (200, made.body)
    assert again.headers["x-oxlo-idempotent-replay"] == made.headers["x-request-id"]
    other = await keyed(second, stream=stream, temperature=0.5)
    assert (other.status, other.code) == (409, "idempotency_key_reused")
    assert len(first.engine.calls) == 1
    assert list(first.gateway.settings.idempotency_dir.glob("*")) == []


async def test_answer_is_made_elsewhere(start: Start, server: ValkeyServer) -> None:
    """A repeat at another gateway waits for the response of the running call."""
    first = await begin(start, server)
    second = await join(first)
    first.engine.next.append(Script(gate="go"))
    made = asyncio.create_task(keyed(first))
    await first.engine.until(lambda e: e.outstanding == 1)
    other = await keyed(second, temperature=0.5)
    assert (other.status, other.code) == (409, "idempotency_key_reused")
    again = asyncio.create_task(keyed(second))
    await until(lambda: len(second.gateway.idempotency.waiting) == 1)
    first.engine.gates["go"].set()
    beating = asyncio.create_task(beat(second))
    assert (await again).body == (await made).body
    beating.cancel()
    assert len(first.engine.calls) == 1


@pytest.mark.parametrize("when_down", ["open", "closed"])
async def test_keys_without_valkey(start: Start, server: ValkeyServer, when_down: str) -> None:
    """Without Valkey, calls with an idempotency key are refused, as they may be repeats."""
    platform = await begin(start, server, limits_when_store_is_down=when_down)
    assert (await keyed(platform)).status == 200
    await until(lambda: not platform.gateway.idempotency.running)
    server.kill()
    answers = platform.gateway.idempotency.answers
    assert isinstance(answers, ValkeyAnswers)
    await until(lambda: not answers.client.connected)
    refused = await keyed(platform)
    assert (refused.status, refused.code) == (503, "limits_unavailable")
    assert "Idempotency-Key" in refused.json()["error"]["message"]
    server.start()
    await until(lambda: answers.client.connected and ledger(platform).client.connected)
    assert "x-oxlo-idempotent-replay" in (await keyed(platform)).headers
    assert len(platform.engine.calls) == 1


@pytest.mark.parametrize(("when_down", "status", "counted"), [("closed", 503, 2), ("open", 200, 5)])
async def test_valkey_that_takes_nothing(
    start: Start, server: ValkeyServer, when_down: str, status: int, counted: int
) -> None:
    """A full Valkey counts as unreachable: logged once, in the metric, counted afterwards."""
    platform = await begin(start, server, limits_when_store_is_down=when_down)
    shared = ledger(platform)
    key = platform.control.mint("premium", "acct_p")
    stop_the_clock(platform)
    assert (await platform.chat(key=key)).status == 200
    await shared.client.ask(b"CONFIG", b"SET", b"maxmemory", b"1")
    with structlog.testing.capture_logs() as logs:
        answers = [await platform.chat(key=key) for _ in range(3)]
    assert [answer.status for answer in answers] == [status] * 3
    assert [line["event"] for line in logs].count("limits.failed") == 1
    assert shared.health()[0] is False
    await shared.client.ask(b"CONFIG", b"SET", b"maxmemory", b"0")
    assert (await platform.chat(key=key)).status == 200
    assert shared.health()[0] is True
    told = (await platform.call("GET", "/v1/limits", key=key)).json()
    assert told["day"]["used"] == counted


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


async def slots_taken(platform: Platform) -> int:
    """Slots that Valkey believes to be in use."""
    client = ledger(platform).client
    keys = await client.ask(b"KEYS", b"oxlo:slots:*:taken:*")
    return sum([int(await client.ask(b"ZCARD", key)) for key in keys])


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


def slots(platform: Platform) -> SharedSlots:
    found = ledger(platform).slots
    assert found is not None
    return found


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
