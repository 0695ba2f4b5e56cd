"""An engine's address and its connection pool."""

import asyncio
import ssl
from collections.abc import Callable
from typing import Final, cast
from urllib.parse import urlsplit

from oxlo.engines.dialect import EngineCall
from oxlo.engines.parts import Parts
from oxlo.gateway.outgoing import Connection, Pool
from oxlo.gateway.upstream_request import Receiver, UpstreamRequest

CONNECT_TIMEOUT: Final = 5.0
#: Maximum number of idle connections per engine.
IDLE_LIMIT: Final = 512


class Upstream(Pool):
    """An engine's address and its connection pool."""

    def __init__(self, address: str, loop: asyncio.AbstractEventLoop, headers: str = "") -> None:
        """`address`: `http://host:port`, `https://host/prefix`, or `unix:/path/to.sock`.

        `headers` are complete lines added to each request.
        """
        super().__init__()
        self.loop = loop
        self._idle: list[Connection] = []
        self._most_idle = IDLE_LIMIT
        self._socket = address.removeprefix("unix:") if address.startswith("unix:") else ""
        parts = urlsplit("http://localhost" if self._socket else address)
        self._host = parts.hostname or "localhost"
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._ssl = ssl.create_default_context() if parts.scheme == "https" else None
        self._prefix = parts.path.rstrip("/").encode()
        self._lines = f"host: {parts.netloc}\r\n{headers}".encode()
        self._connecting: set[asyncio.Task[None]] = set()
        self._posts: dict[str, bytes] = {}

    @property
    def idle(self) -> int:
        """Number of idle connections."""
        return len(self._idle)

    def post(self, call: EngineCall, receiver: Receiver) -> UpstreamRequest:
        """Send a POST request to the engine; `receiver` gets the response."""
        head, body = self._posts.get(call.path), call.body
        if head is None:
            start = b"POST %b%b HTTP/1.1" % (self._prefix, call.path.encode())
            head = self._posts[call.path] = b"%b\r\n%bcontent-type: " % (start, self._lines)
        kind = call.content_type.encode()
        size = len(body) if isinstance(body, bytes) else body.size
        return self.send(b"%b%b\r\ncontent-length: %d\r\n\r\n" % (head, kind, size), body, receiver)

    def request(
        self, method: bytes, target: bytes, headers: bytes, body: bytes, receiver: Receiver
    ) -> UpstreamRequest:
        """Send any request; `headers` are complete lines."""
        length = b"content-length: %d\r\n\r\n" % len(body) if body else b"\r\n"
        head = b"%b %b%b HTTP/1.1\r\n%b%b%b" % (
            method,
            self._prefix,
            target,
            self._lines,
            headers,
            length,
        )
        return self.send(head, body, receiver)

    def send(self, head: bytes, body: bytes | Parts, receiver: Receiver) -> UpstreamRequest:
        """Send on an idle connection, or on a new one."""
        request = UpstreamRequest(head, body, receiver)
        if self._idle:
            self._idle.pop().start(request)
        else:
            self.connect(request)
        return request

    def connect(self, request: UpstreamRequest) -> None:
        """Open a connection and send on it."""
        task = self.loop.create_task(self._connect(request))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self, request: UpstreamRequest) -> None:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                connection = await self._dial()
        except (OSError, TimeoutError) as error:
            if not request.cancelled:
                request.receiver.on_fail(f"cannot connect: {error or 'timed out'}", sent=False)
            return
        if request.cancelled:
            self.put_back(connection)
        else:
            connection.start(request)

    async def _dial(self) -> Connection:
        connection, loop = Connection(self), self.loop

        def factory() -> asyncio.Protocol:
            return cast(asyncio.Protocol, connection)

        if self._socket:
            await loop.create_unix_connection(factory, self._socket)
        else:
            await loop.create_connection(factory, self._host, self._port, ssl=self._ssl)
        return connection

    def soon(self, act: Callable[[], None]) -> None:
        """Run a function in the next turn of the event loop."""
        self.loop.call_soon(act)

    def put_back(self, connection: Connection) -> None:
        """Return a connection whose exchange has ended."""
        if len(self._idle) < self._most_idle:
            self._idle.append(connection)
        else:
            connection.abort()

    def forget(self, connection: Connection) -> None:
        """Remove an idle connection that the engine has closed."""
        if connection in self._idle:
            self._idle.remove(connection)

    def close(self) -> None:
        """Close idle connections now, and each busy one after its exchange."""
        self._most_idle = 0
        while self._idle:
            self._idle.pop().abort()
