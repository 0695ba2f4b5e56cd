"""How calls end when something around them does: the server, the disk, the client's patience."""

import asyncio
import gc
from pathlib import Path

import msgspec
import pytest
from tests.gateway.conftest import Start, chat, stop_the_clock
from tests.waiting import until

from oxlo.gateway.call import Call
from oxlo.gateway.exchange import Exchange
from oxlo.ledger.records import Settled
from oxlo.testing.engine import Script


async def test_drain_finishes_what_runs(start: Start) -> None:
    """On a stop, a running stream ends as it would have; a new call gets 503 and may come back."""
    platform = await start(drain_seconds=30.0)
    platform.engine.next.append(Script(middle_gate="go", after=1))
    running, new = platform.client(), platform.client()
    await running.send("POST", "/v1/chat/completions", chat(stream=True))
    await running.reader.readuntil(b"Hello")
    await new.send("POST", "/v1/chat/completions", headers={"content-length": "9"})
    await until(lambda: sum(not c.idle for c in platform.gateway.server.connections) == 2)
    draining = asyncio.create_task(platform.gateway.drain())
    await until(lambda: platform.gateway.draining)
    new.writer.write(b'{"a":"b"}')
    refused = await new.answer()
    platform.engine.gates["go"].set()
    rest = await running.reader.read()
    await draining
    assert (refused.status, refused.code) == (503, "shutting_down")
    assert int(refused.headers["retry-after"]) > 0
    assert b"data: [DONE]" in rest
    assert b'"error"' not in rest


async def test_drain_has_a_limit(start: Start) -> None:
    """Calls still running after the drain timeout end with an error event, and do not count."""
    platform = await start(drain_seconds=0.0)
    platform.engine.next.append(Script(middle_gate="never", after=1))
    client = platform.client()
    await client.send("POST", "/v1/chat/completions", chat(stream=True))
    await client.reader.readuntil(b"Hello")
    await platform.gateway.drain()
    rest = await client.reader.read()
    assert b"shutting_down" in rest
    assert b"[DONE]" not in rest
    (settled,) = await platform.ended()
    assert isinstance(settled, Settled)
    assert (settled.outcome, settled.counted) == ("failed", False)
    await platform.engine.until(lambda e: e.cancelled == 1)


async def test_abandoning_is_braked(start: Start) -> None:
    """Abandoning streams repeatedly is not free: refunds per day are limited."""
    platform = await start()
    stop_the_clock(platform)
    platform.engine.default = Script(middle_gate="never", after=1)
    (caller,) = platform.control.callers.values()
    refunds = platform.gateway.plan_of(caller).abandoned_refunds
    for number in range(refunds + 1):
        client = platform.client()
        await client.send("POST", "/v1/chat/completions", chat(stream=True))
        await client.reader.readuntil(b"Hello")
        client.leave()
        await platform.engine.until(lambda e, gone=number + 1: e.cancelled == gone)
    settled = await platform.ended(refunds + 1)
    assert [getattr(record, "counted", None) for record in settled] == [False] * refunds + [True]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
@pytest.mark.parametrize("on_full", ["continue", "stop"])
async def test_full_disk(start: Start, on_full: str) -> None:
    """A journal that cannot be written: calls go on, or none is admitted, as configured."""
    platform = await start(journal_full=on_full)
    folder = platform.gateway.settings.journal_dir
    (folder / "g1-000001.draft").symlink_to("/dev/full")
    first = await platform.chat()
    second = await platform.chat()
    ready = await platform.call("GET", "/readyz", key="")
    assert first.status == 200  # admitted before anybody knew, and answered
    assert second.status == (200 if on_full == "continue" else 503)
    assert ready.status == (200 if on_full == "continue" else 503)
    assert platform.gateway.journal.failing


async def test_slow_reader_slows_the_engine(start: Start) -> None:
    """A client that reads nothing is not written to without end; when it reads, all is there."""
    platform = await start()
    text = "word " * 4_000_000
    platform.engine.next.append(Script(text=text, chunks=400))
    client = platform.client()
    await client.send("POST", "/v1/chat/completions", chat(stream=True))
    connection = await platform.connection()
    await until(lambda: connection._paused_writing)  # the client's own reader stops at 64 KB
    buffered = connection._transport.get_write_buffer_size()
    answer = await client.answer()
    assert buffered < 1 << 20
    assert _said(answer.body) == text


async def test_a_byte_a_second(start: Start) -> None:
    """A client that reads a byte per second is finally cut off; others are served meanwhile."""
    platform = await start()
    platform.engine.next.append(Script(text="word " * 4_000_000, chunks=400))
    client = platform.client()
    await client.send("POST", "/v1/chat/completions", chat(stream=True))
    connection = await platform.connection()
    await until(lambda: connection._paused_writing)
    patience = int(platform.gateway.settings.write_timeout)
    begun = connection.deadline - patience
    for second in range(patience):
        await client.reader.readexactly(1)
        platform.gateway.server.sweep(begun + second)
    assert platform.engine.outstanding == 1
    assert (await platform.chat()).status == 200
    platform.gateway.server.sweep(begun + 2 * patience)
    await platform.engine.until(lambda e: e.outstanding == 0)
    assert platform.engine.cancelled == 1
    await until(lambda: not platform.gateway.calls)


def _said(stream: bytes) -> str:
    events = [line[6:] for line in stream.split(b"\n\n") if line.startswith(b"data: {")]
    chunks = [msgspec.json.decode(event) for event in events]
    return "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks if c["choices"])


async def test_leavers_leave_nothing(start: Start) -> None:
    """A dropped stream is gone with its client: nothing waits for the collector."""
    platform = await start()
    platform.engine.default = Script(middle_gate="never", after=1)
    gc.collect()
    gc.disable()
    try:
        client = platform.client()
        await client.send("POST", "/v1/chat/completions", chat(stream=True))
        await client.head()
        client.leave()
        await platform.engine.until(lambda e: e.outstanding == 0)
        await until(lambda: not platform.gateway.server.connections)
        left = [o for o in gc.get_objects() if type(o) in (Call, Exchange)]
    finally:
        gc.enable()
    assert left == []
