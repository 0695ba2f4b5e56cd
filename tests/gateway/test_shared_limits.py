"""Limits of gateways that share them in a real Valkey."""

import asyncio
import time
from pathlib import Path

import pytest
import structlog.testing
from tests.gateway.conftest import Start, chat, stop_the_clock
from tests.gateway.shared import beat, begin, join, ledger, used
from tests.valkeys import ValkeyServer
from tests.waiting import PATIENCE, clear_of_midnight, until

from oxlo import plans
from oxlo.ledger.base import Reservation
from oxlo.ledger.shared import SharedLedger
from oxlo.testing.engine import Script


@pytest.mark.parametrize("ahead", [300.0, -300.0])
async def test_clock_of_a_gateway_is_wrong(
    start: Start, server: ValkeyServer, ahead: float
) -> None:
    """A gateway whose clock is minutes off applies the same limits, and its Retry-After is true."""
    first = await begin(start, server)
    second = await join(first)
    second.gateway.wall = lambda: time.time() + ahead
    key = first.control.mint("free", "acct_f")
    minute = time.time() // 60
    while (refused := await second.chat(key=key)).status == 200:
        await first.chat(key=key)
    assert refused.code == "minute_limit_exceeded"
    left = (time.time() // 60 + 1) * 60 - time.time()
    if time.time() // 60 == minute:  # otherwise the window has just ended
        assert left <= int(refused.headers["retry-after"]) <= 60


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
        lease_seconds=0.5, timeout=PATIENCE,
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


async def test_wrong_address_is_refused(start: Start, tmp_path: Path) -> None:
    """A URL that names no Valkey stops the start, in words that name no password."""
    from oxlo.settings import SettingsError

    with pytest.raises(SettingsError, match="OXLO_VALKEY_URL takes") as refused:
        await start(valkey_url="http://user:hunter2@x")
    assert "hunter2" not in str(refused.value)


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
