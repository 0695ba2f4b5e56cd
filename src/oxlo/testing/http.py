"""A small HTTP/1.1 server whose handlers can violate the protocol, as an engine may."""
# ruff: noqa: D102 - the callbacks are those of asyncio.Protocol and of httptools

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from types import TracebackType
from typing import Self

import httptools
import msgspec


class Request(msgspec.Struct, kw_only=True):
    """A received request; header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""
    #: The client disconnected before the response was complete.
    cancelled: bool = False
    answered: bool = False

    def json(self) -> dict[str, object]:
        """Decode the body as a JSON object. Raises msgspec.DecodeError."""
        return msgspec.json.decode(self.body, type=dict[str, object])


class Reply:
    """Writes a response; an unfinished one closes the connection."""

    def __init__(self, transport: asyncio.Transport, writable: asyncio.Event) -> None:
        self._transport = transport
        self._writable = writable
        self.finished = False

    async def raw(self, data: bytes) -> None:
        """Write raw bytes."""
        await self._writable.wait()
        self._transport.write(data)
        if self._transport.is_closing():  # disconnected: let the event loop cancel the handler
            await asyncio.sleep(0)

    async def whole(
        self, status: int, body: bytes, kind: str = "application/json", **headers: str
    ) -> None:
        """Write a whole response with a Content-Length."""
        fields = {"Content-Type": kind, "Content-Length": str(len(body))} | headers
        await self.raw(_head(status, fields) + body)
        self.finished = True

    async def start(self, status: int = 200, kind: str = "text/event-stream") -> None:
        """Write the head of a chunked response."""
        await self.raw(_head(status, {"Content-Type": kind, "Transfer-Encoding": "chunked"}))

    async def chunk(self, data: bytes) -> None:
        """Write a chunk."""
        await self.raw(b"%x\r\n%b\r\n" % (len(data), data))

    async def end(self) -> None:
        """Write the end of a chunked response."""
        await self.raw(b"0\r\n\r\n")
        self.finished = True


Handler = Callable[[Request, Reply], Awaitable[None]]


class Connection(asyncio.Protocol):
    """A client's connection: requests are answered in order, and cancelled on disconnect."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[Request] = deque()
        self._task: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.abort()

    def drop(self) -> None:
        """Abort the connection, as a killed process does."""
        self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._waiting.clear()
        self._writable.set()
        if self._task:
            self._task.cancel()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def on_message_begin(self) -> None:
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body = bytearray()

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        method = self._parser.get_method().decode()
        request = Request(
            method=method,
            path=self._url.decode("latin-1"),
            headers=self._headers,
            body=bytes(self._body),
        )
        self._waiting.append(request)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._serve())

    async def _serve(self) -> None:
        while self._waiting:
            request = self._waiting.popleft()
            reply = Reply(self._transport, self._writable)
            try:
                await self._handler(request, reply)
            finally:
                if not reply.finished:
                    self._transport.abort()
        self._task = None


class LocalServer:
    """A server on 127.0.0.1, running while entered; subclasses implement `answer`."""

    #: 0 for any free port; the actual port once started.
    port = 0

    @property
    def address(self) -> str:
        """The base URL, without a path."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Start to listen."""
        loop = asyncio.get_running_loop()
        self._connections: set[Connection] = set()
        self._server = await loop.create_server(self._connect, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and abort all connections, as a killed process does."""
        await asyncio.sleep(0)  # asyncio leaks connections whose server closes as it accepts them
        self._server.close()
        self.hang_up()
        await self._server.wait_closed()

    def hang_up(self) -> None:
        """Abort all connections; new ones are accepted."""
        for connection in self._connections:
            connection.drop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def answer(self, request: Request, reply: Reply) -> None:
        """Answer a request."""
        raise NotImplementedError

    def _connect(self) -> Connection:
        connection = Connection(self.answer)
        self._connections.add(connection)
        return connection


def _head(status: int, headers: dict[str, str]) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:  # non-standard, such as 499
        phrase = "Unknown"
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{k}: {v}" for k, v in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
