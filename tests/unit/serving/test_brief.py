"""Short requests that come alone: answered at once; whatever else comes, by the application."""

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
from oxlo.gateway.sending import Receiver, Sending
from oxlo.gateway.upstream import Connection, Upstream
from oxlo.serving.app import Engine, application
from oxlo.serving.brief import Brief, BriefProtocol, Desk
from oxlo.serving.work import Job, Workers

KEY = "secret"
HEAD = (
    b"POST /short HTTP/1.1\r\nhost: here\r\nauthorization: Bearer secret\r\n"
    b"content-type: application/json\r\ncontent-length: "
)


class Line(asyncio.Transport):
    """A client's end of a connection: what it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.told = b""
        self._more = asyncio.Event()
        self._closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.told += bytes(data)
        self._more.set()

    def pause_reading(self) -> None:
        """uvicorn reads on when it has answered."""

    def resume_reading(self) -> None:
        """Nothing is lost here meanwhile."""

    def is_closing(self) -> bool:
        return self._closed

    def close(self) -> None:
        self._closed = True

    async def replies(self, number: int) -> list[tuple[int, bytes]]:
        """Status and body of each, once there are so many: each comes in one piece."""
        while self.told.count(b"\r\n\r\n") < number:
            self._more.clear()
            await self._more.wait()
        pieces = self.told.split(b"HTTP/1.1 ")[1:]
        return [(int(piece[:3]), piece.rpartition(b"\r\n\r\n")[2]) for piece in pieces]


def desk() -> Desk:
    return Desk(Brief("/short", 64, lambda job, body: body), Workers(1), KEY)


class Served:
    """An engine, without the sockets: its short calls say which thread worked for them."""

    def __init__(self) -> None:
        self.workers = Workers(4)
        self.fails: list[Exception] = []
        #: Calls that the application saw.
        self.common = 0
        engine = Engine(
            [Route("/short", self._short, methods=["POST"])],
            self.workers,
            KEY,
            brief=Brief("/short", 64, self._answer),
        )
        self._config = uvicorn.Config(application(engine), lifespan="off", log_config=None)
        self._config.load()
        self._desk = Desk(cast(Brief, engine.brief), self.workers, KEY)

    def connect(self) -> tuple[BriefProtocol, Line]:
        state = ServerState()
        protocol = BriefProtocol(self._desk, config=self._config, server_state=state, app_state={})
        line = Line()
        protocol.connection_made(line)
        return protocol, line

    async def _short(self, request: Request) -> Response:
        self.common += 1
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
    """The loop's own thread works for it, one after the other, and the application sees nothing."""
    protocol, line = served.connect()
    here = threading.get_ident()
    for number in (1, 2):
        protocol.data_received(short())
        assert (await line.replies(number))[-1] == (200, b"%d 2" % here)
    assert (served.common, served.workers.busy, served.workers.steps) == (0, 0, 4)


async def test_those_of_one_turn(served: Served) -> None:
    """They go to threads, where they may share a run."""
    connections = [served.connect() for _ in range(3)]
    for protocol, _ in connections:
        protocol.data_received(short())
    told = [await line.replies(1) for _, line in connections]
    assert {status for [(status, _)] in told} == {200}
    assert not any(body.startswith(b"%d " % threading.get_ident()) for [(_, body)] in told)
    assert served.common == 3


async def test_beside_other_work(served: Served) -> None:
    """The loop stays free for the caller who is there already."""
    protocol, line = served.connect()
    served.workers.busy += 1
    protocol.data_received(short())
    await line.replies(1)
    assert served.common == 1


async def test_a_refusal_has_its_words(served: Served) -> None:
    """As if there were no shortcut."""
    protocol, line = served.connect()
    served.fails.append(BadRequest("no"))
    protocol.data_received(short())
    [(status, body)] = await line.replies(1)
    assert (status, msgspec.json.decode(body)["error"]["message"]) == (400, "no")
    assert (served.common, served.workers.busy) == (1, 0)


async def test_a_crash_is_answered(served: Served) -> None:
    """Its trace is in the log, twice; who waits is told."""
    protocol, line = served.connect()
    logged: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, what: logged.append(what))
    served.fails.append(ZeroDivisionError())
    protocol.data_received(short())
    [(status, _)] = await line.replies(1)
    assert (status, served.workers.busy) == (500, 0)
    assert logged


async def test_a_body_that_looks_like_a_request(served: Served) -> None:
    """What is a part of another request is uvicorn's; the next one is short again."""
    protocol, line = served.connect()
    protocol.data_received(b"%b200\r\n\r\n" % HEAD)
    protocol.data_received(b"%-200b" % short())
    [(status, body)] = await line.replies(1)
    assert (status, body.split()[1], served.common) == (200, b"200", 1)
    protocol.data_received(short())
    assert (await line.replies(2))[1][0] == 200
    assert served.common == 1


async def test_two_in_one_turn_keep_their_order(served: Served) -> None:
    """The first is the application's, as the second is no reason to let it wait."""
    protocol, line = served.connect()
    protocol.data_received(short(b"1"))
    protocol.data_received(short(b"22"))
    told = await line.replies(2)
    assert [body.split()[1] for _, body in told] == [b"1", b"2"]
    assert served.common == 2


async def test_who_has_gone_is_not_worked_for(served: Served) -> None:
    """A client that hangs up in the same turn."""
    protocol, line = served.connect()
    protocol.data_received(short())
    line.close()
    protocol.connection_lost(None)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert (line.told, served.workers.steps, served.common) == (b"", 0, 0)


class _Kept(Connection):
    """A connection that keeps what it is to send."""

    def start(self, sending: Sending) -> None:
        self.sent = sending.head + cast(bytes, sending.body)


async def test_what_a_gateway_sends_is_short() -> None:
    """Its lines, in its spelling."""
    loop = asyncio.get_running_loop()
    upstream = Upstream("http://127.0.0.1:40123", loop, f"authorization: Bearer {KEY}\r\n")
    kept = _Kept(upstream)
    upstream.put_back(kept)
    upstream.post(EngineCall("/short", b"{}"), cast(Receiver, None))
    assert desk().read(kept.sent) == b"{}"


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
def test_anything_else_is_not(data: bytes) -> None:
    """It says more, less or other than a gateway does of a short call."""
    assert desk().read(data) is None
