"""Hostile or unusual clients, over real sockets."""

import asyncio
from pathlib import Path

import pytest
from tests.unit.gateway.conftest import Served
from tests.unit.gateway.test_http import Socket, post
from tests.waiting import PATIENCE, until

from oxlo.gateway.body import Body, Budget
from oxlo.gateway.http import LINGER_BYTES, Connection
from oxlo.gateway.reading import HEAD_LIMIT
from oxlo.gateway.spool import Spool

CHUNKED = b"POST /c HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n"
GET = b"GET /g HTTP/1.1\r\nhost: x\r\n\r\n"
FILLER = b"x: " + b"a" * 30_000 + b"\r\n"


def answers(said: bytes) -> int:
    return said.count(b"HTTP/1.1 200 OK\r\n")


async def test_thousands_behind_one(served: Served) -> None:
    """Thousands of pipelined requests are answered, one after the other."""
    served.echo.hold = True
    reader, writer = await served.connect()
    writer.write(post(b"slow", b"") + GET * 3000 + post(b"last"))
    await until(lambda: served.echo.bodies)
    served.echo.hold = False
    served.echo.opened[0].reply(200, b"", b"first")
    said = await asyncio.wait_for(reader.read(), PATIENCE)
    assert answers(said) == 3002
    assert said.endswith(b"/a|last")


async def test_nothing_is_made_for_who_does_not_read(served: Served) -> None:
    """While a client does not read responses, its further requests wait and reading stops."""
    connection, transport = Connection(served.server), Socket()
    connection.connection_made(transport)
    connection.pause_writing()
    connection.data_received(GET * 50)
    assert not served.echo.opened
    assert not transport.reading
    connection.resume_writing()
    await until(lambda: len(served.echo.opened) == 50)
    await until(lambda: transport.reading)
    connection.connection_lost(None)


async def test_slow_reader_is_cut_off(served: Served) -> None:
    """A slow reader's deadline is not extended by sending more."""
    connection, transport = Connection(served.server), Socket()
    connection.connection_made(transport)
    connection.data_received(GET[:10])
    connection.pause_writing()
    given_up = connection.deadline
    connection.data_received(GET[10:] + GET)
    assert connection.deadline == given_up
    connection.connection_lost(None)


async def test_reader_that_caught_up_may_idle(served: Served) -> None:
    """A connection whose response was read late gets the idle timeout, like any other."""
    connection, transport = Connection(served.server), Socket()
    connection.connection_made(transport)
    connection.data_received(GET)
    connection.pause_writing()
    connection.resume_writing()
    now = served.server.now()
    assert connection.deadline == now + served.server.limits.idle_timeout
    connection.connection_lost(None)


@pytest.mark.parametrize("start", [b"GET / HTTP/1.1\r\n", b"GET /" + b"a" * 30_000])
async def test_endless_head_behind_a_reply(served: Served, start: bytes) -> None:
    """An endless head is not buffered while an earlier response is pending."""
    served.echo.hold = True
    connection, transport = Connection(served.server), Socket()
    connection.connection_made(transport)
    connection.data_received(post(b"x", b"") + start)
    for _ in range(3):
        connection.data_received(FILLER if start.endswith(b"\n") else b"a" * 30_000)
    served.echo.opened[0].reply(200, b"", b"done")
    assert b"connection: close" in transport.written
    assert transport.closed
    connection.connection_lost(None)


@pytest.mark.parametrize("piece", [FILLER, b"a" * 30_000])
async def test_endless_trailers(served: Served, piece: bytes) -> None:
    """Trailers have the same limits as heads; some of what follows is discarded unread."""
    connection, transport = Connection(served.server), Socket()
    connection.connection_made(transport)
    connection.data_received(CHUNKED + b"\r\n1\r\na\r\n0\r\nx: y")
    for _ in range(HEAD_LIMIT // len(piece) + 1):
        connection.data_received(piece)
    assert transport.written.startswith(b"HTTP/1.1 431")
    assert (transport.ended, transport.closed) == (True, False)
    for _ in range(LINGER_BYTES // len(piece) + 1):
        connection.data_received(piece)
    assert transport.closed
    connection.connection_lost(None)


async def test_trailers_leave_no_trace(served: Served) -> None:
    """The head of a request after trailers has the usual size limit and timeout."""
    connection, transport = Connection(served.server), Socket()
    connection.connection_made(transport)
    for _ in range(4):
        connection.data_received(CHUNKED + b"\r\n1\r\na\r\n0\r\n" + FILLER)
        connection.data_received(b"\r\n")
    assert len(served.echo.bodies) == 4
    assert not transport.closed
    connection.connection_lost(None)


async def test_large_body_behind_a_reply(served: Served) -> None:
    """A large pipelined body waits, and is not refused in the middle of another response."""
    served.echo.limit = 8 << 20
    served.echo.hold = True
    reader, writer = await served.connect()
    body = b"y" * (3 << 20)
    writer.write(post(b"slow", b""))
    await until(lambda: served.echo.bodies)
    writer.write(post(body))
    (connection,) = served.server.connections
    await until(lambda: connection._pending)
    served.echo.hold = False
    served.echo.opened[0].reply(200, b"", b"first")
    said = await asyncio.wait_for(reader.read(), PATIENCE)
    assert said.startswith(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nfirstHTTP/1.1 200 OK\r\n")
    assert said.endswith(body)


async def test_crash_gives_back_what_was_held(served: Served) -> None:
    """A crashed handler is notified of the end, so that it releases its slot."""
    await served.say(post(b"x", target=b"/crash"))
    assert served.echo.crash_count == 1


@pytest.mark.parametrize("target", [b"/crash", b"/crash-at-once"])
async def test_crash_behind_a_reply(served: Served, target: bytes) -> None:
    """A crash in a pipelined request is a 500 as well."""
    served.echo.hold = True
    reader, writer = await served.connect()
    writer.write(post(b"slow", b"") + post(b"x", b"", target))
    await until(lambda: served.echo.bodies)
    served.echo.opened[0].reply(200, b"", b"first")
    said = await asyncio.wait_for(reader.read(), PATIENCE)
    assert said.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"HTTP/1.1 500" in said
    assert b"a bug" not in said


@pytest.mark.parametrize("hosts", [b"", b"host: x\r\nhost: x\r\n", b"Host: x\r\nhost: y\r\n"])
async def test_one_host(served: Served, hosts: bytes) -> None:
    """A request with no Host header, or two, gets a 400, after the responses before it."""
    said = await served.say(GET + b"GET /h HTTP/1.1\r\n" + hosts + b"\r\n" + GET)
    assert answers(said) == 1
    assert b"HTTP/1.1 400 Bad Request\r\n" in said
    assert b"one Host header" in said
    assert [e.target for e in served.echo.opened] == [b"/g"]


async def test_hosts_of_others_do_not_count(served: Served) -> None:
    """An empty Host is valid; Host fields in trailers do not count."""
    trailers = b"host: x\r\nhost: y\r\n"
    body = CHUNKED + b"\r\n2\r\nok\r\n0\r\n" + trailers + b"\r\n"
    empty = b"GET /e HTTP/1.1\r\nhost:\r\n\r\n"
    assert answers(await served.say(body + empty + body + post(b"last"))) == 4


async def test_flawed_head_waits_its_turn(served: Served) -> None:
    """The error for an invalid head is sent after the response before it."""
    served.echo.hold = True
    reader, writer = await served.connect()
    flood = b"".join(b"x-%d: y\r\n" % n for n in range(200))
    writer.write(post(b"slow", b"") + b"GET /f HTTP/1.1\r\nhost: x\r\n" + flood + b"\r\n")
    await until(lambda: served.echo.bodies)
    served.echo.opened[0].reply(200, b"", b"first")
    said = await asyncio.wait_for(reader.read(), PATIENCE)
    assert said.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"HTTP/1.1 431" in said
    assert len(served.echo.opened) == 1


async def test_chunked_body_beside_an_upgrade(served: Served) -> None:
    """Java's client offers HTTP/2 with a chunked body, which is parsed as chunked."""
    head = CHUNKED + b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\n\r\n"
    said = await served.say(head + b"4\r\njava\r\n0\r\n\r\n" + post(b"next"))
    assert answers(said) == 2
    assert b"/c|java" in said
    assert said.endswith(b"/a|next")


async def test_upgrade_arrives_in_pieces(served: Served) -> None:
    """The same, byte by byte."""
    extra = b"upgrade: h2c\r\nconnection: upgrade\r\n"
    reader, writer = await served.connect()
    for byte in post(b"java", extra) + CHUNKED + extra + b"\r\n2\r\nok\r\n0\r\n\r\n" + post(b"z"):
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0)
    said = await asyncio.wait_for(reader.read(), PATIENCE)
    assert answers(said) == 3


async def test_upgrade_hides_no_request(served: Served) -> None:
    """The body of an ignored upgrade is never parsed as a request."""
    inner = b"GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n"
    await served.say(post(inner, b"upgrade: h2c\r\nconnection: upgrade\r\n") + post(b"end"))
    assert [e.target for e in served.echo.opened] == [b"/a", b"/a"]


async def test_malformed_behind_waiting_requests(served: Served) -> None:
    """Invalid bytes are reported after the responses that are still pending."""
    served.echo.hold = True
    reader, writer = await served.connect()
    writer.write(post(b"slow", b"") + GET + b"\x00nonsense\r\n\r\n")
    await until(lambda: served.echo.bodies)
    served.echo.opened[0].reply(200, b"", b"first")
    said = await asyncio.wait_for(reader.read(), PATIENCE)
    assert said.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"HTTP/1.1 400" not in said


async def test_small_pieces_are_joined(tmp_path: Path) -> None:
    """A body in thousands of chunks takes little more memory than its size."""
    spool = Spool(tmp_path / "spool", asyncio.get_running_loop())
    body = Body(Budget(1 << 24, spool))
    for n in range(50_000):
        body.add(b"%02d" % (n % 100))
    assert len(body._chunks) <= 2
    assert body.read() == b"".join(b"%02d" % (n % 100) for n in range(50_000))
    body.release()


async def test_crowds_cost_the_idle(served: Served) -> None:
    """Beyond the connection limit those idle for the longest are closed; busy ones stay."""
    served.server.most, served.echo.hold = 3, True
    busy, writer = await served.connect()
    writer.write(post(b"slow"))
    await until(lambda: served.echo.opened)
    first, _ = await served.connect()
    await until(lambda: len(served.server.connections) == 2)
    served.clock.now += 1  # type: ignore[attr-defined]
    for _ in range(2):
        await served.connect()
    assert await asyncio.wait_for(first.read(), PATIENCE) == b""
    assert (len(served.server.connections), served.server.crowded) == (3, 1)
    served.echo.opened[0].reply(200, b"", b"done")
    assert b"done" in await asyncio.wait_for(busy.readuntil(b"done"), PATIENCE)


async def test_crowds_of_calls_are_told(served: Served) -> None:
    """If no connection is idle, a new one is told to retry and holds nothing."""
    served.server.most, served.echo.hold = 2, True
    for number in range(2):
        _, writer = await served.connect()
        writer.write(post(b"slow"))
        await until(lambda number=number: len(served.echo.opened) == number + 1)
    said = await served.say(GET)
    assert said.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nretry-after: 5\r\n" in said
    assert b'"code":"overloaded"' in said
    await until(lambda: len(served.server.connections) == 2)


async def test_other_transfer_codings_are_refused(served: Served) -> None:
    """Transfer codings other than chunked are refused."""
    said = await served.say(CHUNKED.replace(b"chunked", b"gzip, chunked") + b"\r\n0\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 400 ")
