"""`Idempotency-Key`: sent again, not made again."""

import asyncio
import gc
from collections.abc import Callable
from dataclasses import replace

import msgspec
import pytest
from tests.gateway.conftest import Answer, Platform, Start, chat, stop_the_clock
from tests.waiting import until

from oxlo.engines.dialect import EngineCall
from oxlo.gateway.call import Call
from oxlo.gateway.http import Connection
from oxlo.gateway.idempotency.answers import OnClaim
from oxlo.gateway.idempotency.keyed import Keyed, fingerprint, stored_lines
from oxlo.gateway.idempotency.shared import Shared
from oxlo.ledger.records import Refused, Settled
from oxlo.testing.engine import Script

CHAT = "/v1/chat/completions"
REPLAY = "x-oxlo-idempotent-replay"


def keyed(name: str = "k1") -> dict[str, str]:
    return {"idempotency-key": name}


async def send(platform: Platform, name: str = "k1", **fields: object) -> Answer:
    """A chat with an idempotency key; meanwhile the gateway asks again for claims that are held."""
    call = asyncio.create_task(platform.call("POST", CHAT, chat(**fields), keyed(name)))
    while not call.done():
        platform.gateway.idempotency.tick(0.0)
        await asyncio.wait({call}, timeout=0.05)
    return call.result()


async def kept(platform: Platform) -> None:
    """Wait until what was answered is on disk."""
    await until(lambda: not platform.gateway.idempotency.running)


@pytest.mark.parametrize("stream", [False, True])
async def test_replayed(start: Start, stream: bool) -> None:
    """The same bytes again, at once and after a restart's worth of forgetting; made once."""
    platform = await start()
    first = await send(platform, stream=stream)
    second = await send(platform, stream=stream)
    await kept(platform)
    third = await send(platform, stream=stream)
    assert first.status == second.status == third.status == 200
    assert first.body == second.body == third.body
    assert REPLAY not in first.headers
    assert third.headers[REPLAY] == first.headers["x-request-id"]
    assert third.headers["content-type"] == first.headers["content-type"]
    assert len({a.headers["x-request-id"] for a in (first, second, third)}) == 3
    assert len(platform.engine.calls) == 1


async def test_counts_once(start: Start) -> None:
    """A repeat costs nothing, and has a receipt that says so."""
    platform = await start()
    key = platform.control.mint("free", "acct_f")
    stop_the_clock(platform)
    for _ in range(3):
        answer = await platform.call("POST", CHAT, chat(), keyed(), key)
        await kept(platform)
    limits = (await platform.call("GET", "/v1/limits", key=key)).json()
    assert (limits["day"]["used"], limits["minute"]["used"]) == (1, 1)
    record = platform.record(Settled, answer.headers["x-request-id"])
    assert (record.outcome, record.counted, record.minute_counted) == ("replayed", False, False)
    assert answer.headers["x-ratelimit-remaining-requests"] == "4"


@pytest.mark.parametrize("stream", [False, True])
async def test_duplicate_waits(start: Start, stream: bool) -> None:
    """A repeat of a running call gets the same response once it is complete."""
    platform = await start()
    platform.engine.next.append(Script(middle_gate="go", after=1) if stream else Script(gate="go"))
    calls = [asyncio.create_task(send(platform, stream=stream)) for _ in range(3)]
    await platform.engine.until(lambda e: e.outstanding == 1)
    running = platform.gateway.idempotency.running
    await until(lambda: any(len(shared.clients) == 3 for shared in running.values()))
    platform.engine.gates["go"].set()
    answers = await asyncio.gather(*calls)
    assert len({a.body for a in answers}) == 1
    assert sorted(REPLAY in a.headers for a in answers) == [False, True, True]
    assert len(platform.engine.calls) == 1


class Full(asyncio.Transport):
    """The transport of a client that reads nothing: its buffer is full after each write."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection
        self._inner = connection._transport

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._inner.write(data)
        self._connection.pause_writing()

    def is_closing(self) -> bool:
        return self._inner.is_closing()

    def abort(self) -> None:
        self._inner.abort()


async def test_a_slow_client_joins(start: Start) -> None:
    """A client that joins a stream and cannot take what was sent so far pauses it for all."""
    platform = await start()
    platform.engine.next.append(Script(middle_gate="go", after=1))
    first, slow = platform.client(), platform.client()
    await first.send("POST", CHAT, chat(stream=True), keyed())
    await first.reader.readuntil(b"Hello")
    others = set(platform.gateway.server.connections)
    body = msgspec.json.encode(chat(stream=True))
    await slow.send("POST", CHAT, b"", keyed() | {"content-length": str(len(body))})
    await until(lambda: len(platform.gateway.server.connections) == 2)
    (connection,) = platform.gateway.server.connections - others
    assert isinstance(connection, Connection)
    connection._transport = Full(connection)
    slow.writer.write(body)
    (shared,) = platform.gateway.idempotency.running.values()
    await until(lambda: len(shared.clients) == 2)
    assert shared._paused == {shared.clients[1]}
    slow.leave()
    await until(lambda: not shared._paused)
    platform.engine.gates["go"].set()
    assert b"[DONE]" in await first.reader.read()


async def test_first_leaves(start: Start) -> None:
    """A waiting client gets the response even if the first client disconnected."""
    platform = await start()
    platform.engine.next.append(Script(gate="go"))
    client = platform.client()
    await client.send("POST", CHAT, chat(), keyed())
    await platform.engine.until(lambda e: e.outstanding == 1)
    second = asyncio.create_task(send(platform))
    (shared,) = platform.gateway.idempotency.running.values()
    await until(lambda: len(shared.clients) == 2)
    client.leave()
    await until(lambda: len(shared.clients) == 1)
    platform.engine.gates["go"].set()
    assert (await second).status == 200
    assert platform.engine.cancelled == 0


async def test_all_leave(start: Start) -> None:
    """With the last one the call is given up, and a repeat makes it anew."""
    platform = await start()
    platform.engine.next.append(Script(gate="never"))
    client = platform.client()
    await client.send("POST", CHAT, chat(), keyed())
    await platform.engine.until(lambda e: e.outstanding == 1)
    client.leave()
    await platform.engine.until(lambda e: e.outstanding == 0)
    assert (await send(platform)).status == 200
    assert len(platform.engine.calls) == 2


async def test_left_while_claiming(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that leaves while its key is being claimed leaves no claim behind."""
    platform = await start()
    answers, late = platform.gateway.idempotency.answers, list[Callable[[], None]]()
    claim = answers.claim

    def claim_late(name: str, fingerprint: str, then: OnClaim) -> None:
        claim(name, fingerprint, lambda result: late.append(lambda: then(result)))

    with monkeypatch.context() as patch:
        patch.setattr(answers, "claim", claim_late)
        client = platform.client()
        await client.send("POST", CHAT, chat(), keyed())
        await until(lambda: late)
        client.leave()
        await until(lambda: not platform.gateway.server.connections)
    late[0]()
    assert (await send(platform)).status == 200
    assert len(platform.engine.calls) == 1


async def test_another_body(start: Start) -> None:
    """A key belongs to one request: another is a 409 that the SDKs do not retry."""
    platform = await start()
    await send(platform)
    for _ in range(2):
        answer = await send(platform, temperature=0.5)
        assert (answer.status, answer.code) == (409, "idempotency_key_reused")
        assert answer.headers["x-should-retry"] == "false"
        refused = platform.record(Refused, answer.headers["x-request-id"])
        assert (refused.status, refused.error) == (409, "idempotency_key_reused")
        await kept(platform)
    other = await platform.call(
        "POST", "/v1/completions", {"model": "double", "prompt": "x"}, keyed()
    )
    assert other.status == 409


async def test_failures_are_not_kept(start: Start) -> None:
    """A call that did not count is made again: engine failures, refusals, broken streams."""
    platform = await start()
    platform.engine.next.append(Script(status=500))
    assert (await send(platform)).status == 502
    platform.engine.next.append(Script(error="broken", after=1))
    assert b"error" in (await send(platform, "k2", stream=True)).body
    assert (await send(platform, "k3", temperature=9)).status == 400
    assert (await send(platform)).status == 200
    assert b"[DONE]" in (await send(platform, "k2", stream=True)).body
    assert (await send(platform, "k3")).status == 200


async def test_crash_is_not_kept(start: Start) -> None:
    """A bug met by a call ends it for all who wait for it, uncounted, and the key is free again."""

    def broken(*request: object) -> EngineCall:
        raise RuntimeError("a bug")

    platform = await start()
    platform.replicas(platform.engine, slots=1)
    platform.engine.next.append(Script(gate="go"))
    busy, first = platform.client(), platform.client()
    await busy.send("POST", CHAT, chat())
    await platform.engine.until(lambda e: e.outstanding == 1)
    await first.send("POST", CHAT, chat(), keyed())
    group = platform.gateway.backends.group("double")
    assert group is not None
    await until(lambda: len(group.queue) == 1)
    repeat, calls = asyncio.create_task(send(platform)), platform.gateway.idempotency.running
    await until(lambda: any(len(shared.clients) == 2 for shared in calls.values()))
    (waiting,) = group.queue
    waiting.item.endpoint = replace(waiting.item.endpoint, build=broken)
    platform.engine.gates["go"].set()
    answers = [await busy.answer(), await first.answer(), await repeat]
    assert [answer.status for answer in answers] == [200, 500, 500]
    settled = platform.record(Settled, answers[1].headers["x-request-id"])
    assert (settled.counted, settled.minute_counted) == (False, False)
    assert (await send(platform)).status == 200


async def test_accounts_apart(start: Start) -> None:
    """The same key of another account is another key; two keys of one account share it."""
    platform = await start()
    one, same, other = (platform.control.mint("pro", account) for account in ("a", "a", "b"))
    for key in (one, same, other):
        assert (await platform.call("POST", CHAT, chat(), keyed(), key)).status == 200
        await kept(platform)
    assert len(platform.engine.calls) == 2


async def test_two_gateways(start: Start) -> None:
    """A response being produced by another process of the machine is waited for."""
    platform = await start()
    folder = platform.gateway.settings.idempotency_dir
    await send(platform, "k0")
    await kept(platform)
    name = next(path.name for path in folder.iterdir())
    elsewhere = type(platform.gateway.idempotency.answers)(  # type: ignore[call-arg]
        folder, asyncio.get_running_loop(), hours=1, mb=1
    )
    answer = (folder / name).read_bytes()
    (folder / name).unlink()
    told: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    body = b'{"model":"double","messages":[{"role":"user","content":"hi"}]}'
    elsewhere.claim(name, fingerprint(CHAT, b"", body), told.set_result)
    assert await told is None
    waiting = asyncio.create_task(send(platform, "k0"))
    await until(lambda: len(platform.gateway.idempotency.waiting) == 1)
    platform.gateway.idempotency.tick(0.0)
    await until(lambda: len(platform.gateway.idempotency.waiting) == 1)
    (folder / name).write_bytes(answer)
    platform.gateway.idempotency.tick(0.0)
    assert (await waiting).status == 200
    assert len(platform.engine.calls) == 1
    elsewhere.release(name)


@pytest.mark.parametrize("value", ["", "a b", "x" * 256, "clé"])
async def test_odd_keys(start: Start, value: str) -> None:
    """A key that cannot be one is refused before anything is done."""
    platform = await start()
    answer = await send(platform, value)
    assert (answer.status, answer.json()["error"]["param"]) == (400, "Idempotency-Key")
    assert not platform.engine.calls


async def test_needs_a_key_that_is_known(start: Start) -> None:
    """Without a valid API key only that is reported, with or without an idempotency key."""
    platform = await start()
    assert (await platform.call("POST", CHAT, chat(), keyed(), "sk_nobody")).status == 401
    assert (await platform.call("POST", CHAT, chat(), keyed("a b"), "")).status == 401


async def test_large_bodies(start: Start) -> None:
    """Bodies spooled to disk are compared as well."""
    platform = await start()
    path, long = "/v1/completions", "word " * 300_000
    for prompt, status in ((long, 200), (long + "word", 409), (long, 200)):
        body = {"model": "double", "prompt": prompt}
        assert (await platform.call("POST", path, body, keyed())).status == status
    assert len(platform.engine.calls) == 1


def test_boundaries_say_nothing() -> None:
    """A form that is sent again has another boundary, and is the same form."""
    form = "multipart/form-data; boundary={}"
    one, two = (
        fingerprint("/p", form.format(b).encode(), f"--{b}\r\nx\r\n--{b}--".encode())
        for b in ("aaa", "bbb")
    )
    assert one == two
    assert one != fingerprint("/q", form.format("aaa").encode(), b"--aaa\r\nx\r\n--aaa--")


def test_lasting_lines() -> None:
    """Limits and times are not those of the first call."""
    lines = b"content-type: a\r\nx-ratelimit-limit-requests: 5\r\nopenai-processing-ms: 3\r\n"
    assert stored_lines(lines + b"x-oxlo-ignored-fields: b\r\n") == (
        b"content-type: a\r\nx-oxlo-ignored-fields: b\r\n"
    )


async def test_nothing_is_left(start: Start) -> None:
    """Finished calls are freed immediately, without the garbage collector."""
    platform = await start()
    gc.collect()
    gc.disable()

    def held() -> list[object]:
        return [o for o in gc.get_objects() if type(o) in (Keyed, Shared, Call)]

    earlier = held()  # of other tests, whose threads may still end
    try:
        for stream in (False, True):
            assert (await send(platform, f"k{stream}", stream=stream)).status == 200
        platform.engine.next.append(Script(gate="never"))
        client = platform.client()
        await client.send("POST", CHAT, chat(), keyed())
        await platform.engine.until(lambda e: e.outstanding == 1)
        client.leave()
        await platform.engine.until(lambda e: e.outstanding == 0)
        await until(lambda: not platform.gateway.server.connections)
        await kept(platform)
        left = [o for o in held() if o not in earlier]
    finally:
        gc.enable()
    assert left == []
