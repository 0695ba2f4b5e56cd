"""Chunked uploads to an engine, over real sockets and over a transport with a full buffer."""

import asyncio
from pathlib import Path

import pytest
from tests.waiting import PATIENCE

from oxlo.engines.dialect import EngineCall
from oxlo.engines.parts import FilePart, Parts, form
from oxlo.gateway.collect import Collect
from oxlo.gateway.outgoing import Connection
from oxlo.gateway.upstream import Upstream
from oxlo.gateway.upstream_request import UpstreamRequest
from oxlo.testing.engine import Canned, EngineDouble
from oxlo.wire.media import File

LARGE = bytes(range(256)) * (3 << 12)


def stored(folder: Path, content: bytes = LARGE) -> File:
    path = folder / "file"
    path.write_bytes(content)
    return File(path=str(path), size=len(content), type="audio/wav", name='a "b".wav')


async def posted(engine: EngineDouble, call: EngineCall) -> tuple[int, bytes]:
    upstream = Upstream(engine.address, asyncio.get_running_loop())
    answered: asyncio.Future[tuple[int, bytes]] = asyncio.get_running_loop().create_future()
    upstream.post(call, Collect(lambda status, body: answered.set_result((status, body))))
    async with asyncio.timeout(PATIENCE):
        reply = await answered
    upstream.close()
    return reply


async def test_a_form_arrives_whole(tmp_path: Path) -> None:
    """Fields and a file of 3 MB arrive with the declared type and length."""
    kind, parts = form([("model", "m"), ("x[]", "é")], [("file", stored(tmp_path))], "bound")
    async with EngineDouble() as engine:
        engine.canned["/v1/x"] = Canned.json({})
        assert (await posted(engine, EngineCall("/v1/x", parts, kind)))[0] == 200
        request = engine.calls[0]
    assert request.headers["content-type"] == "multipart/form-data; boundary=bound"
    assert len(request.body) == parts.size == int(request.headers["content-length"])
    assert b'name="file"; filename="a %22b%22.wav"\r\ncontent-type: audio/wav\r\n\r\n' + LARGE in (
        request.body
    )
    assert 'name="x[]"\r\n\r\né\r\n--bound'.encode() in request.body


async def test_another_try_reads_files_again(tmp_path: Path) -> None:
    """The same body can be sent again for a retry."""
    file = stored(tmp_path)
    call = EngineCall("/v1/x", Parts((b"<", FilePart(file.path, file.size), b">")))
    async with EngineDouble() as engine:
        engine.canned["/v1/x"] = Canned.json({})
        await posted(engine, call)
        await posted(engine, call)
        assert [request.body for request in engine.calls] == [b"<" + LARGE + b">"] * 2


async def test_a_file_cut_short_fails(tmp_path: Path) -> None:
    """If a file was truncated, the request fails instead of sending fewer bytes than declared."""
    file = stored(tmp_path)
    stored(tmp_path, b"short")
    async with EngineDouble() as engine:
        call = EngineCall("/v1/x", Parts((FilePart(file.path, file.size),)))
        status, reason = await posted(engine, call)
    assert status == 0
    assert b"shorter than it was" in reason


class Narrow(asyncio.Transport):
    """Accepts one write, then is full until resumed."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection
        self.taken: list[bytes] = []
        self.closed = False

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.taken.append(bytes(data))
        self._connection.pause_writing()

    def abort(self) -> None:
        self.closed = True
        self._connection.connection_lost(None)


async def test_a_full_transport_is_waited_for(tmp_path: Path) -> None:
    """A file is read no faster than the engine accepts it."""
    file = stored(tmp_path)
    upstream = Upstream("http://127.0.0.1:1", asyncio.get_running_loop())
    connection = Connection(upstream)
    transport = Narrow(connection)
    connection.connection_made(transport)
    parts = Parts((FilePart(file.path, file.size),))
    connection.start(UpstreamRequest(b"head", parts, Collect(lambda status, body: None)))
    await turns()
    assert transport.taken == [b"head"]
    connection.resume_writing()
    await turns()
    assert len(transport.taken) == 2
    while len(b"".join(transport.taken)) < 4 + file.size:
        connection.resume_writing()
        await turns()
    assert b"".join(transport.taken) == b"head" + LARGE


async def turns() -> None:
    """Run the loop until nothing is left to do."""
    for _ in range(10):
        await asyncio.sleep(0)


OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"


@pytest.mark.parametrize(
    ("behind", "kept"),
    [
        (b"", True),
        (b"\r\n", True),
        (OK + b"no", False),
        (OK + b"n", False),
        (b"H", False),
        (b"\0", False),
    ],
)
async def test_nothing_is_left_for_the_next(behind: bytes, kept: bool) -> None:
    """A connection with extra data after a response is closed, so no later call receives it."""
    upstream = Upstream("http://127.0.0.1:1", asyncio.get_running_loop())
    connection = Connection(upstream)
    connection.connection_made(Narrow(connection))
    told: list[tuple[int, bytes]] = []
    done = Collect(lambda status, body: told.append((status, body)))
    connection.start(UpstreamRequest(b"head", b"", done))
    connection.data_received(OK + b"y")
    connection.data_received(b"e" + behind)
    assert told == [(200, b"ye")]
    assert (connection in upstream._idle) is kept


class Broken:
    """A receiver with a bug."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def on_head(self, status: int, headers: dict[bytes, bytes]) -> None:
        pass

    def on_data(self, data: bytes) -> None:
        pass

    def on_end(self) -> None:
        raise RuntimeError("a bug")

    def on_fail(self, reason: str, *, sent: bool) -> None:
        self.reasons.append(reason)


async def test_a_reply_that_cannot_be_handled() -> None:
    """If a receiver fails at the end of a response, it is told, so that no call waits for ever."""
    connection = Connection(Upstream("http://127.0.0.1:1", asyncio.get_running_loop()))
    connection.connection_made(Narrow(connection))
    broken = Broken()
    connection.start(UpstreamRequest(b"head", b"", broken))
    with pytest.raises(RuntimeError, match="a bug"):
        connection.data_received(OK + b"ye")
    assert broken.reasons == ["its reply could not be handled"]
