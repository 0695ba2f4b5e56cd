"""The server side of HTTP/1.1, over real sockets."""

import asyncio
from pathlib import Path

import pytest
from tests.unit.gateway.conftest import Served
from tests.waiting import until

from oxlo.gateway.http import Connection

CLOSE = b"connection: close\r\n"


def post(body: bytes, extra: bytes = CLOSE, target: bytes = b"/a") -> bytes:
    return b"POST %b HTTP/1.1\r\nhost: x\r\n%bcontent-length: %d\r\n\r\n%b" % (
        target,
        extra,
        len(body),
        body,
    )


def held(path: Path) -> tuple[bytes, int]:
    """A file's content and permissions."""
    return path.read_bytes(), path.stat().st_mode & 0o777


async def test_body_arrives(served: Served) -> None:
    """A request's body reaches the handler whole."""
    answer = await served.say(post(b"hello"))
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"/a|hello")


async def test_chunked_body(served: Served) -> None:
    """A chunked body is put together."""
    data = b"POST /c HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"
    answer = await served.say(data + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
    assert answer.endswith(b"/c|abcde")


async def test_trailers_stay_behind(served: Served) -> None:
    """Trailers do not become headers of the next request."""
    chunked = b"POST /c HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
    smuggled = b"0\r\nauthorization: Bearer sk_smuggled\r\n\r\n"
    await served.say(chunked + smuggled + post(b"next"))
    assert [b"authorization" in e.headers for e in served.echo.opened] == [False, False]


async def test_every_cut(served: Served) -> None:
    """A request may arrive byte by byte."""
    reader, writer = await served.connect()
    for byte in post(b"slow"):
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0)
    assert (await reader.read()).endswith(b"/a|slow")


async def test_pipelined_in_order(served: Served) -> None:
    """Pipelined requests are answered in their order."""
    several = b"".join(post(b"%d" % n, b"") for n in range(20)) + post(b"last")
    answer = await served.say(several)
    bodies = [part.split(b"\r\n\r\n")[1] for part in answer.split(b"HTTP/1.1 200 OK\r\n")[1:]]
    assert bodies == [b"/a|%d" % n for n in range(20)] + [b"/a|last"]


async def test_http10_closes(served: Served) -> None:
    """HTTP/1.0 without keep-alive is answered and closed."""
    answer = await served.say(b"GET /old HTTP/1.0\r\n\r\n")
    assert b"connection: close" in answer
    assert answer.endswith(b"/old|")


async def test_http10_stays(served: Served) -> None:
    """HTTP/1.0 with keep-alive gets an explicit `connection: keep-alive`."""
    reader, writer = await served.connect()
    for target in (b"/one", b"/two"):
        writer.write(b"GET %b HTTP/1.0\r\nconnection: keep-alive\r\n\r\n" % target)
        assert b"connection: keep-alive\r\n" in await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(len(target) + 1) == target + b"|"


async def test_expect_continue(served: Served) -> None:
    """`Expect: 100-continue` is answered before the body."""
    reader, writer = await served.connect()
    writer.write(
        b"POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
        b"expect: 100-continue\r\ncontent-length: 2\r\n\r\n"
    )
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"ok")
    assert (await reader.read()).endswith(b"/|ok")


@pytest.mark.parametrize(
    "head",
    [
        b"content-length: 3\r\ncontent-length: 4\r\n",
        b"content-length: 3\r\ntransfer-encoding: chunked\r\n",
        b"content-length: -1\r\n",
        b"content-length: 1e3\r\n",
        b"bad header: x\r\n",
        b"transfer-encoding: chunked, identity\r\n",
    ],
)
async def test_conflicting_framing(served: Served, head: bytes) -> None:
    """Ambiguous framing is refused, and the connection closed."""
    answer = await served.say(b"POST / HTTP/1.1\r\nhost: x\r\n" + head + b"\r\nabc")
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b'"error"' in answer
    assert not served.echo.opened or served.echo.opened[-1].close


async def test_not_http(served: Served) -> None:
    """Bytes that are not HTTP get a JSON 400."""
    answer = await served.say(b"\x16\x03\x01\x02\x00\x01\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"application/json" in answer


async def test_endless_header(served: Served) -> None:
    """A header that never ends is refused after 64 KB, also while the client is still sending."""
    answer = await served.say(b"GET / HTTP/1.1\r\nx: " + b"a" * 800_000)
    assert answer.startswith(b"HTTP/1.1 431")


async def test_header_flood(served: Served) -> None:
    """More than 128 headers are refused."""
    flood = b"".join(b"x-%d: y\r\n" % n for n in range(200))
    answer = await served.say(b"GET / HTTP/1.1\r\nhost: x\r\n" + flood + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 431")


async def test_declared_too_large(served: Served) -> None:
    """A body declared over the limit is refused before it is read, naming the limit."""
    answer = await served.say(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 999999999\r\n\r\nabc")
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"1 MB" in answer


async def test_chunked_too_large(served: Served) -> None:
    """A chunked body is refused once it passes the limit."""
    served.echo.limit = 10
    data = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n14\r\n" + b"a" * 20
    answer = await served.say(data + b"\r\n0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413")


async def test_large_body_spooled(served: Served) -> None:
    """A body over 1 MB holds no memory while it arrives, and arrives whole."""
    served.echo.limit = 8 << 20
    body = bytes(range(256)) * (3 << 12)
    free = served.server.budget.free
    answer = await served.say(post(body))
    assert answer.endswith(body)
    assert served.server.budget.free == free


async def test_spooled_body_has_a_path(served: Served, tmp_path: Path) -> None:
    """A spooled body's file is private, and removed after the response."""
    served.echo.limit = 8 << 20
    served.echo.hold = True
    body = b"x" * (2 << 20)
    _, writer = await served.connect()
    writer.write(post(body))
    await until(lambda: served.echo.bodies)
    path = Path(served.echo.bodies[0].path)
    assert held(path) == (body, 0o600)
    served.echo.opened[0].reply(200, b"", b"")
    await until(lambda: not path.exists())


class Socket(asyncio.Transport):
    """A fake transport that records reading, writes and closing."""

    def __init__(self) -> None:
        super().__init__()
        self.reading = True
        self.written = b""
        self.ended = False
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.ended = True

    def close(self) -> None:
        self.closed = True

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_closing(self) -> bool:
        return self.closed

    def get_extra_info(self, name: str, default: object = None) -> object:
        return default


async def test_large_bodies_take_turns(served: Served) -> None:
    """Between chunks of a large body other connections run; a small body is read at once."""
    served.echo.limit = 8 << 20
    connection, transport = Connection(served.server), Socket()
    connection.connection_made(transport)
    connection.data_received(post(b"x" * (4 << 20))[: 1 << 19])
    assert transport.reading
    connection.data_received(b"x" * (1 << 20))
    assert not transport.reading
    await asyncio.sleep(0)
    assert transport.reading
    connection.connection_lost(None)


async def test_full_disk_refuses_large_bodies(served: Served, tmp_path: Path) -> None:
    """On a full disk a large body is refused with a 503."""
    served.echo.limit = 8 << 20
    (tmp_path / "spool").rmdir()
    answer = await served.say(post(b"x" * (2 << 20)))
    assert answer.startswith(b"HTTP/1.1 503")
    assert b"cannot be stored" in answer


async def test_client_leaves(served: Served) -> None:
    """A handler is notified when its client disconnects."""
    served.echo.hold = True
    reader, writer = await served.connect()
    writer.write(post(b"x", b""))
    await until(lambda: served.echo.opened)
    writer.close()
    await until(lambda: served.echo.gone_count)
    assert served.echo.gone_count == 1
    assert reader is not None


async def test_slow_head_expires(served: Served) -> None:
    """A head that is not complete in time is a 408."""
    reader, writer = await served.connect()
    writer.write(b"GET / HTT")
    await until(lambda: any(connection._head_bytes for connection in served.server.connections))
    served.server.sweep(served.clock.now + 11)  # type: ignore[attr-defined]
    assert (await reader.read()).startswith(b"HTTP/1.1 408")
    assert writer is not None


async def test_stalled_body_expires(served: Served) -> None:
    """A stalled body is a 408."""
    reader, writer = await served.connect()
    writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nab")
    await until(lambda: served.echo.opened and served.echo.opened[0].body.size)
    served.server.sweep(served.clock.now + 31)  # type: ignore[attr-defined]
    assert (await reader.read()).startswith(b"HTTP/1.1 408")
    assert writer is not None


async def test_idle_closed_silently(served: Served) -> None:
    """An idle connection is closed without a response."""
    reader, writer = await served.connect()
    await until(lambda: served.server.connections)
    served.server.sweep(served.clock.now + 100)  # type: ignore[attr-defined]
    assert await reader.read() == b""
    assert writer is not None


class Stuck(asyncio.Transport):
    """A transport with data in its buffer for a client that reads nothing."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1)})
        self.closing = self.aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None: ...

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = self.aborted = True


@pytest.mark.parametrize("extra", [b"", b"connection: close\r\n"])
async def test_unread_responses_expire(served: Served, extra: bytes) -> None:
    """A connection that is closed while its client does not read is cut in the end."""
    transport, connection = Stuck(), Connection(served.server)
    connection.connection_made(transport)
    connection.data_received(post(b"x", extra))
    for minutes in (2, 4):
        served.server.sweep(served.clock.now + minutes * 60)  # type: ignore[attr-defined]
    assert transport.aborted
    connection.connection_lost(None)


async def test_crash_is_a_500(served: Served) -> None:
    """A crashed handler is a JSON 500 without a traceback, and the server keeps running."""
    answer = await served.say(post(b"x", target=b"/crash"))
    assert answer.startswith(b"HTTP/1.1 500")
    assert b"Traceback" not in answer
    assert b"a bug" not in answer
    assert (await served.say(post(b"y"))).endswith(b"/a|y")


async def test_upgrade_ignored(served: Served) -> None:
    """A request that offers HTTP/2 is answered in HTTP/1.1."""
    extra = b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: x\r\n"
    reader, writer = await served.connect()
    writer.write(post(b"java", extra))
    assert b"200 OK" in await reader.readuntil(b"|java")
    writer.write(post(b"again"))
    assert (await reader.read()).endswith(b"/a|again")


async def test_half_closed_is_gone(served: Served) -> None:
    """A half-closed connection counts as a disconnect: nothing is answered."""
    served.echo.hold = True
    reader, writer = await served.connect()
    writer.write(post(b"half", b""))
    await until(lambda: served.echo.bodies)
    writer.write_eof()
    assert await reader.read() == b""
    assert served.echo.gone_count == 1


async def test_parting_brings_one_more(served: Served) -> None:
    """During shutdown a request on an idle connection is answered, then the connection closed."""
    reader, writer = await served.connect()
    writer.write(post(b"first", b""))
    first = await reader.readuntil(b"/a|first")
    served.server.part()
    writer.write(post(b"last", b""))
    last = await reader.read()
    assert b"connection" not in first
    assert b"connection: close\r\n" in last
    assert last.endswith(b"/a|last")
    await served.server.empty.wait()
