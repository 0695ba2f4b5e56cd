"""A minimal HTTP client for health polls and warm-up; never for clients' requests."""

import asyncio
import ssl
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

import httptools
import msgspec

#: Limit on a response with its head, bytes.
LARGEST: Final = 32 << 20


class NoAnswer(Exception):
    """The engine did not answer before the deadline."""


class Refused(Exception):
    """The connection was refused, or broke."""


@dataclass(frozen=True, slots=True)
class Content:
    """A request body other than JSON."""

    type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Fetched:
    """A whole response."""

    status: int
    body: bytes


class _Reader:
    """Callbacks of the response parser."""

    def __init__(self) -> None:
        self.body = bytearray()
        self.headed = False
        #: Whether the response declares its length; otherwise it ends with the connection.
        self.framed = False
        self.complete = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.framed |= name.lower() in (b"content-length", b"transfer-encoding")

    def on_headers_complete(self) -> None:
        self.headed = True

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        self.complete = True


async def fetch(
    address: str,
    path: str,
    *,
    deadline: float,
    body: object = None,
    api_key: str = "",
    tls: ssl.SSLContext | None = None,
) -> Fetched:
    """GET, or POST if there is a `body` (sent as JSON unless it is Content), on a new connection.

    `tls` overrides how https is verified; the default checks certificate and host name.
    Raises NoAnswer after `deadline` seconds, Refused if the exchange fails.
    """
    try:
        async with asyncio.timeout(deadline):
            return await _exchange(urlsplit(address + path), body, api_key, tls)
    except TimeoutError:
        raise NoAnswer(f"no answer within {deadline:g} s") from None
    except (OSError, httptools.HttpParserError) as error:
        raise Refused(str(error) or type(error).__name__) from error


async def _exchange(
    url: SplitResult, body: object, api_key: str, tls: ssl.SSLContext | None
) -> Fetched:
    secure = tls or ssl.create_default_context() if url.scheme == "https" else None
    port = url.port or (443 if secure else 80)
    reader, writer = await asyncio.open_connection(url.hostname, port, ssl=secure)
    try:
        writer.write(_request(url, body, api_key))
        return await _reply(reader)
    finally:
        writer.close()


def _request(url: SplitResult, body: object, api_key: str) -> bytes:
    content = body if isinstance(body, Content) else _json(body)
    lines = [
        f"{'GET' if body is None else 'POST'} {url.path} HTTP/1.1",
        f"Host: {url.netloc}",
        f"Content-Length: {len(content.data)}",
        f"Content-Type: {content.type}",
        "Accept: */*",
        "Connection: close",
    ]
    lines += [f"Authorization: Bearer {api_key}"] if api_key else []
    return "\r\n".join([*lines, "", ""]).encode() + content.data


def _json(body: object) -> Content:
    return Content("application/json", b"" if body is None else msgspec.json.encode(body))


async def _reply(reader: asyncio.StreamReader) -> Fetched:
    seen = _Reader()
    parser = httptools.HttpResponseParser(seen)
    size = 0
    while not seen.complete:
        data = await reader.read(65536)
        if not data and seen.headed and not seen.framed:
            break
        if not data:
            raise ConnectionResetError("the connection was cut")
        size += len(data)
        if size > LARGEST:
            raise ConnectionAbortedError("its reply does not end")
        parser.feed_data(data)
    return Fetched(parser.get_status_code(), bytes(seen.body))
