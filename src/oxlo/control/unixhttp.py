"""An HTTP GET over a unix socket, for reading from gateways on this machine."""

import asyncio
from pathlib import Path

import httptools

#: Timeout of a whole request, in seconds.
TIMEOUT = 5.0
_CHUNK = 1 << 16


class UnixHttpError(Exception):
    """The request failed, or its status was not 200."""


class _Reply:
    def __init__(self) -> None:
        self.body = b""
        self.complete = False

    def on_body(self, part: bytes) -> None:
        self.body += part

    def on_message_complete(self) -> None:
        self.complete = True


async def get(socket: Path, target: str) -> bytes:
    """GET `target`; returns the response's body. Raises UnixHttpError."""
    try:
        async with asyncio.timeout(TIMEOUT):
            return await _exchange(socket, target)
    except (OSError, TimeoutError, httptools.HttpParserError) as error:
        raise UnixHttpError(f"{socket}: {error or 'timed out'}") from error


async def _exchange(socket: Path, target: str) -> bytes:
    reader, writer = await asyncio.open_unix_connection(str(socket))
    try:
        head = f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        writer.write(head.encode())
        return await _reply(reader, socket)
    finally:
        writer.close()


async def _reply(reader: asyncio.StreamReader, socket: Path) -> bytes:
    reply = _Reply()
    parser = httptools.HttpResponseParser(reply)
    while not reply.complete:
        part = await reader.read(_CHUNK)
        if not part:
            raise UnixHttpError(f"{socket}: the connection closed early")
        parser.feed_data(part)
    if parser.get_status_code() != 200:
        raise UnixHttpError(f"{socket}: status {parser.get_status_code()}")
    return reply.body
