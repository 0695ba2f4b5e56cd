"""A whole gateway in the test's own loop, between a control double and engine doubles."""

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests import connections
from tests.valkeys import ValkeyServer
from tests.waiting import PATIENCE, until

from oxlo import catalogue, plans
from oxlo.fleet import registry
from oxlo.fleet.registry import Replica, ReplicaList, ReplicaState
from oxlo.gateway.gateway import Gateway
from oxlo.gateway.http import Connection as Incoming
from oxlo.gateway.http import protocols
from oxlo.ledger.records import Record, Refused, Settled
from oxlo.ledger.shared import SharedLedger
from oxlo.media import process as media
from oxlo.settings import Settings
from oxlo.testing.control import ControlDouble
from oxlo.testing.engine import EngineDouble
from oxlo.testing.http import Connection, Reply, Request

MODELS = """
id = "{id}"
name = "{id}"
category = "{category}"
tier = "{tier}"
description = "A double."
abilities = {abilities}
context_length = 8192
licence = "none"
homepage = "none"
created = 1
"""

CHATS = ["chat", "completions", "tools", "json", "logprobs"]
#: The models of these tests: id, tier, category, abilities.
DOUBLES = (
    ("double", "free", "chat", CHATS),
    ("costly", "premium", "chat", CHATS),
    ("vectors", "free", "embeddings", ["embeddings"]),
    ("pictures", "free", "image", ["images", "image_edits"]),
    ("finder", "free", "detection", ["detection"]),
    ("seer", "free", "vision", [*CHATS, "vision"]),
    ("listener", "free", "audio", ["transcription", "translation"]),
)

Headers = dict[str, str]


class Answer(msgspec.Struct):
    """An HTTP response, as a raw client sees it."""

    status: int
    headers: Headers
    body: bytes

    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def code(self) -> str:
        return str(self.json()["error"]["code"])


class Client:
    """A raw HTTP/1.1 client on one connection."""

    def __init__(self, port: int, key: str) -> None:
        self._port = port
        self._key = key
        self.reader: asyncio.StreamReader
        self.writer: asyncio.StreamWriter

    async def send(
        self, method: str, path: str, body: object = None, headers: Headers | None = None
    ) -> None:
        """Send a request on a new connection."""
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self._port)
        raw = body if isinstance(body, bytes) else msgspec.json.encode(body) if body else b""
        lines = {"host": "x", "connection": "close", "content-length": str(len(raw))}
        if self._key:
            lines["authorization"] = f"Bearer {self._key}"
        lines |= headers or {}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self.writer.write(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + raw)

    async def head(self) -> Answer:
        """The reply's head."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        fields = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        return Answer(int(head[0].split()[1]), fields, b"")

    async def answer(self) -> Answer:
        """The whole reply, chunks put together."""
        answer = await self.head()
        rest = await self.reader.read()
        chunked = answer.headers.get("transfer-encoding") == "chunked"
        answer.body = _dechunk(rest) if chunked else rest
        return answer

    def leave(self) -> None:
        """Hang up."""
        self.writer.transport.abort()


def _dechunk(data: bytes) -> bytes:
    out = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        length = int(size, 16)
        out, data = out + data[:length], data[length + 2 :]
        if not length:
            break
    return out


class Platform:
    """The gateway under test and everything around it."""

    def __init__(self, gateway: Gateway, control: ControlDouble, engine: EngineDouble, port: int):
        self.gateway = gateway
        self.control = control
        self.engine = engine
        self.port = port
        self.key = control.mint("enterprise")
        self.clients: list[Client] = []
        #: Ends the gateway, as a restart does.
        self.end: Callable[[], Awaitable[None]]
        #: What else ends with it.
        self.ends: list[Callable[[], object]] = []

    def on_end(self, end: Callable[[], object]) -> None:
        """Have something ended with the platform."""
        self.ends.append(end)

    @property
    def spool(self) -> Path:
        """The folder for files of calls."""
        return self.gateway.settings.spool_dir / self.gateway.name

    async def connection(self) -> Incoming:
        """The one open connection, once it has been accepted."""
        await until(lambda: self.gateway.server.connections)
        (connection,) = self.gateway.server.connections
        assert isinstance(connection, Incoming)
        return connection

    async def swept(self) -> None:
        """Wait until nothing of any call is left on disk."""
        await until(lambda: not any(self.spool.iterdir()))

    def client(self, key: str | None = None) -> Client:
        client = Client(self.port, self.key if key is None else key)
        self.clients.append(client)
        return client

    async def call(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Headers | None = None,
        key: str | None = None,
    ) -> Answer:
        client = self.client(key)
        await client.send(method, path, body, headers)
        return await asyncio.wait_for(client.answer(), PATIENCE)

    async def chat(self, key: str | None = None, **fields: object) -> Answer:
        return await self.call("POST", "/v1/chat/completions", chat(**fields), key=key)

    def replicas(self, *engines: EngineDouble, model: str = "double", **fields: Any) -> None:
        """Replace the list of replicas of `model`."""
        listed = tuple(
            replica(engine, f"{model}-{n}", model, **fields) for n, engine in enumerate(engines)
        )
        registry.write(self.gateway.settings.replicas_file, ReplicaList(time.time(), listed))
        self.gateway.backends.refresh()

    def also(self, *models: tuple[str, str]) -> None:
        """Have the engine serve several models, each with the dialect that it is spoken to in."""
        listed = tuple(replica(self.engine, f"{m}-0", m, dialect=spoken) for m, spoken in models)
        registry.write(self.gateway.settings.replicas_file, ReplicaList(time.time(), listed))
        self.gateway.backends.refresh()

    def records(self) -> list[Record]:
        """Everything in the journal."""
        files = sorted(self.gateway.settings.journal_dir.glob("*.jsonl"))
        lines = b"".join(file.read_bytes() for file in files).splitlines()
        return [msgspec.json.decode(line, type=Record) for line in lines]  # type: ignore[arg-type]

    async def ended(self, calls: int = 1) -> list[Settled | Refused]:
        """How calls ended, once so many have: clients that leave are not told."""
        records: list[Settled | Refused] = []

        def enough() -> bool:
            records[:] = [r for r in self.records() if isinstance(r, Settled | Refused)]
            return len(records) >= calls

        await until(enough)
        assert len(records) == calls
        return records

    def record(self, kind: type[Record], request_id: str) -> Any:
        """The one record of a kind about a call."""
        found = [r for r in self.records() if isinstance(r, kind) and r.id == request_id]  # type: ignore[union-attr]
        assert len(found) == 1
        return found[0]


def chat(**fields: object) -> dict[str, object]:
    messages = [{"role": "user", "content": "hi"}]
    return {"model": "double", "messages": messages} | fields


#: The middle of a minute and of a day, the same in all tests.
NOON = time.time() // 86_400 * 86_400 + 43_230.0


def stop_the_clock(platform: Platform) -> float:
    """Let it be noon for good: a test that counts must not straddle two minutes."""
    platform.gateway.wall = lambda: NOON
    platform.control.clock = lambda: NOON - 1.0  # counted before what ends now
    ledger = platform.gateway.ledger
    if isinstance(ledger, SharedLedger):
        ledger.commands.clock = lambda: NOON
    return NOON


def replica(engine: EngineDouble, name: str, model: str, **fields: Any) -> Replica:
    base: dict[str, Any] = {
        "id": name,
        "model": model,
        "kind": "upstream",
        "dialect": engine.shape.name,
        "address": engine.address,
        "engine_model": "double",
        "slots": 4,
        "context_length": 8192,
        "state": ReplicaState.READY,
        "since": time.time(),
    }
    return Replica(**base | fields)


Start = Callable[..., Awaitable[Platform]]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Start a platform; `dialect` is the engine's, other fields are Settings'."""
    async with AsyncExitStack() as stack:
        stack.push_async_callback(connections.close_all)

        async def begin(dialect: str = "openai", **fields: Any) -> Platform:
            return await _begin(stack, tmp_path, dialect, fields)

        yield begin


StartMedia = Callable[[Platform], Awaitable[None]]


@pytest.fixture
async def start_media() -> AsyncIterator[StartMedia]:
    """Start the real media process of a platform, in the test's own loop."""
    stop, running = asyncio.Event(), []

    async def begin(platform: Platform) -> None:
        running.append(asyncio.create_task(media.run(platform.gateway.settings, stop)))
        await until(platform.gateway.settings.media_socket.exists)

    yield begin
    stop.set()
    await asyncio.gather(*running)


class Mute:
    """A media process that takes questions, and answers some of them."""

    def __init__(self, answers: dict[str, bytes]) -> None:
        self._answers = answers
        self.asked: asyncio.Queue[str] = asyncio.Queue()
        self.left: asyncio.Queue[str] = asyncio.Queue()

    async def handle(self, request: Request, reply: Reply) -> None:
        self.asked.put_nowait(request.path)
        if request.path in self._answers:
            await reply.whole(200, self._answers[request.path])
            return
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self.left.put_nowait(request.path)


async def mute(platform: Platform, answers: dict[str, bytes]) -> Mute:
    double = Mute(answers)
    loop, path = asyncio.get_running_loop(), platform.gateway.settings.media_socket
    server = await loop.create_unix_server(lambda: Connection(double.handle), str(path))
    platform.on_end(server.close)
    return double


async def _begin(
    stack: AsyncExitStack, home: Path, dialect: str, fields: dict[str, Any]
) -> Platform:
    settings = Settings(**{"home": home} | fields)
    settings.prepare()
    _write_models(settings.catalogue_dir)
    loop = asyncio.get_running_loop()
    engine = await stack.enter_async_context(EngineDouble(dialect))
    for socket in (settings.control_private_socket, settings.control_socket):
        socket.unlink(missing_ok=True)
    control = await stack.enter_async_context(
        ControlDouble(
            settings.control_private_socket, settings.control_socket, settings.signing_secret()
        )
    )
    gateway = Gateway(settings, catalogue.load(settings.catalogue_dir), plans.load(), loop)
    gateway.recover()
    listener = await loop.create_server(protocols(gateway.server), "127.0.0.1", 0)
    platform = Platform(gateway, control, engine, listener.sockets[0].getsockname()[1])
    platform.replicas(engine)

    platform.end = _once(_end_of(platform, listener))
    stack.push_async_callback(platform.end)
    return platform


def _once(end: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
    ended = False

    async def run() -> None:
        nonlocal ended
        if not ended:
            ended = True
            async with asyncio.timeout(2 * PATIENCE):  # whatever state a test has left it in
                await end()

    return run


def _end_of(platform: Platform, listener: asyncio.Server) -> Callable[[], Awaitable[None]]:
    async def end() -> None:
        for client in platform.clients:
            if hasattr(client, "writer"):
                client.leave()
        await asyncio.sleep(0)  # asyncio leaks connections whose server closes as it accepts them
        listener.close()
        for close in platform.ends:
            if inspect.isawaitable(ending := close()):
                await ending
        await platform.gateway.drain()
        platform.gateway.close()
        await platform.gateway.disconnect()
        await asyncio.sleep(0)

    return end


def _write_models(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for name, tier, category, abilities in DOUBLES:
        text = MODELS.format(id=name, tier=tier, category=category, abilities=abilities)
        (folder / f"{name}.toml").write_text(text)


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """A Valkey of the test's own, which it may hurt."""
    server = ValkeyServer(tmp_path_factory.mktemp("v")).start()
    yield server
    server.kill()
