"""Lone short requests are answered inline, all others by the application."""

import asyncio
import threading
from typing import cast

import msgspec
import pytest
import uvicorn
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from uvicorn.server import ServerState

from oxlo.engines.dialect import EngineCall
from oxlo.errors import BadRequest
from oxlo.gateway.upstream import Connection, Upstream
from oxlo.gateway.upstream_request import Receiver, UpstreamRequest
from oxlo.serving.app import Engine, application
from oxlo.serving.fast_path import FastPath, FastPathDispatcher, FastPathProtocol
from oxlo.serving.work import Job, Workers

KEY = "secret"
HEAD = (
    b"POST /short HTTP/1.1\r\nhost: here\r\nauthorization: Bearer secret\r\n"
    b"content-type: application/json\r\ncontent-length: "
)


class Line(asyncio.Transport):
    """A transport that records what the client receives."""

    def __init__(self) -> None:
        super().__init__()
        self.received = b""
        self._more = asyncio.Event()
        self._closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.received += bytes(data)
        self._more.set()

    def pause_reading(self) -> None:
        """Ignored: uvicorn resumes after its response."""

    def resume_reading(self) -> None:
        """Ignored: nothing was lost meanwhile."""

    def is_closing(self) -> bool:
        return self._closed

    def close(self) -> None:
        self._closed = True

    async def replies(self, number: int) -> list[tuple[int, bytes]]:
        """Wait for `number` responses and return their statuses and bodies."""
        while self.received.count(b"\r\n\r\n") < number:
            self._more.clear()
            await self._more.wait()
        pieces = self.received.split(b"HTTP/1.1 ")[1:]
        return [(int(piece[:3]), piece.rpartition(b"\r\n\r\n")[2]) for piece in pieces]


def dispatcher() -> FastPathDispatcher:
    return FastPathDispatcher(
        FastPath("/short", 64, lambda job, body: body, b"{}"), Workers(1), KEY
    )


class Served:
    """An engine without sockets, whose responses name the thread that computed them."""

    def __init__(self) -> None:
        self.workers = Workers(4)
        self.fails: list[Exception] = []
        #: Requests that reached the application.
        self.normal = 0
        engine = Engine(
            [Route("/short", self._short, methods=["POST"])],
            self.workers,
            KEY,
            fast_path=FastPath("/short", 64, self._answer, b"{}"),
        )
        self._config = uvicorn.Config(application(engine), lifespan="off", log_config=None)
        self._config.load()
        self._dispatcher = FastPathDispatcher(cast(FastPath, engine.fast_path), self.workers, KEY)

    def connect(self) -> tuple[FastPathProtocol, Line]:
        state = ServerState()
        protocol = FastPathProtocol(
            self._dispatcher, config=self._config, server_state=state, app_state={}
        )
        line = Line()
        protocol.connection_made(line)
        return protocol, line

    async def _short(self, request: Request) -> Response:
        self.normal += 1
        body = await request.body()
        return Response(await self.workers.run(request, lambda job: self._answer(job, body)))

    def _answer(self, job: Job, body: bytes) -> bytes:
        if self.fails:
            raise self.fails[0]
        return b"%d %d" % (threading.get_ident(), len(body))


@pytest.fixture
async def served() -> Served:
    return Served()


def short(body: bytes = b"Hi") -> bytes:
    return b"%b%d\r\n\r\n%b" % (HEAD, len(body), body)


async def test_a_short_request_alone(served: Served) -> None:
    """It is answered in the event loop's thread, without the application."""
    protocol, line = served.connect()
    here = threading.get_ident()
    for number in (1, 2):
        protocol.data_received(short())
        assert (await line.replies(number))[-1] == (200, b"%d 2" % here)
    assert (served.normal, served.workers.busy, served.workers.steps) == (0, 0, 4)


async def test_concurrent_short_requests(served: Served) -> None:
    """They go to the thread pool, where they may share a run."""
    connections = [served.connect() for _ in range(3)]
    for protocol, _ in connections:
        protocol.data_received(short())
    responses = [await line.replies(1) for _, line in connections]
    assert {status for [(status, _)] in responses} == {200}
    assert not any(body.startswith(b"%d " % threading.get_ident()) for [(_, body)] in responses)
    assert served.normal == 3


async def test_beside_other_work(served: Served) -> None:
    """The event loop stays free for the request that is already running."""
    protocol, line = served.connect()
    served.workers.busy += 1
    protocol.data_received(short())
    await line.replies(1)
    assert served.normal == 1


async def test_an_error_takes_the_normal_path(served: Served) -> None:
    """Its response is the application's."""
    protocol, line = served.connect()
    served.fails.append(BadRequest("no"))
    protocol.data_received(short())
    [(status, body)] = await line.replies(1)
    assert (status, msgspec.json.decode(body)["error"]["message"]) == (400, "no")
    assert (served.normal, served.workers.busy) == (1, 0)


async def test_a_crash_is_answered(served: Served) -> None:
    """The client gets status 500, and the traceback is logged."""
    protocol, line = served.connect()
    logged: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, what: logged.append(what))
    served.fails.append(ZeroDivisionError())
    protocol.data_received(short())
    [(status, _)] = await line.replies(1)
    assert (status, served.workers.busy) == (500, 0)
    assert logged


async def test_a_body_that_looks_like_a_request(served: Served) -> None:
    """The rest of a longer request is left to uvicorn; the next request is short again."""
    protocol, line = served.connect()
    protocol.data_received(b"%b200\r\n\r\n" % HEAD)
    protocol.data_received(b"%-200b" % short())
    [(status, body)] = await line.replies(1)
    assert (status, body.split()[1], served.normal) == (200, b"200", 1)
    protocol.data_received(short())
    assert (await line.replies(2))[1][0] == 200
    assert served.normal == 1


async def test_pipelined_requests_keep_their_order(served: Served) -> None:
    """Both take the normal path."""
    protocol, line = served.connect()
    protocol.data_received(short(b"1"))
    protocol.data_received(short(b"22"))
    responses = await line.replies(2)
    assert [body.split()[1] for _, body in responses] == [b"1", b"2"]
    assert served.normal == 2


async def test_a_disconnected_client_causes_no_work(served: Served) -> None:
    """It disconnects in the same event loop iteration."""
    protocol, line = served.connect()
    protocol.data_received(short())
    line.close()
    protocol.connection_lost(None)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert (line.received, served.workers.steps, served.normal) == (b"", 0, 0)


class _Recording(Connection):
    """A connection that records what it is given to send."""

    def start(self, request: UpstreamRequest) -> None:
        self.sent = request.head + cast(bytes, request.body)


async def test_the_gateways_requests_are_recognised() -> None:
    """With the headers in the gateway's spelling."""
    loop = asyncio.get_running_loop()
    upstream = Upstream("http://127.0.0.1:40123", loop, f"authorization: Bearer {KEY}\r\n")
    recording = _Recording(upstream)
    upstream.put_back(recording)
    upstream.post(EngineCall("/short", b"{}"), cast(Receiver, None))
    assert dispatcher().parse(recording.sent) == b"{}"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        short().replace(b"POST", b"PUT"),
        short().replace(b"/short", b"/shorter"),
        short().replace(b"1.1", b"1.0"),
        short().replace(b"secret", b"guess"),
        short().replace(b"host: here\r\n", b""),
        short().replace(b"host: here", b"host: here\r\nconnection: close"),
        short().replace(b"host: here", b"host: here\r\nhost: there"),
        short().replace(b"content-length: 2", b"transfer-encoding: chunked"),
        short().replace(b"content-length: 2", b"content-length: 3"),
        short()[:40],
        short() + short(),
        short(b"x" * 65),
    ],
)
def test_other_requests_are_not(data: bytes) -> None:
    """They differ from a gateway's short request in the request line, headers or size."""
    assert dispatcher().parse(data) is None


@pytest.mark.parametrize("error", [None, BadRequest()])
def test_warm_up(error: BadRequest | None) -> None:
    """The example runs on the thread that will serve; one that the model refuses is no failure."""
    seen: list[tuple[bytes, int]] = []

    def answer(job: Job, body: bytes) -> bytes:
        seen.append((body, threading.get_ident()))
        if error is not None:
            raise error
        return body

    workers = Workers(1)
    FastPathDispatcher(FastPath("/short", 64, answer, b"{}"), workers, KEY).warm_up()
    assert set(seen) == {(b"{}", threading.get_ident())}
    assert (len(seen) > 1, workers.busy) == (error is None, 0)
