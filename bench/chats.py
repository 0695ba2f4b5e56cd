"""A small streaming client that measures the time to first token and counts tokens."""

import asyncio
import re
import time
from dataclasses import dataclass

import msgspec

from bench.calls import Refused

#: An event with content; the role alone does not count as the first token.
_CONTENT = re.compile(rb'"content":"[^"]')
_TOKENS = re.compile(rb'"completion_tokens":(\d+)')


@dataclass(frozen=True)
class Place:
    """A server that chats are sent to."""

    name: str
    port: int
    key: str


@dataclass(frozen=True)
class Chat:
    """A response: milliseconds to the first token, and the number of tokens."""

    first_ms: float
    tokens: int


async def chat(place: Place, body: bytes) -> Chat:
    """Stream one chat on a new connection. Raises Refused."""
    reader, writer = await asyncio.open_connection("127.0.0.1", place.port)
    try:
        began = time.perf_counter()
        writer.write(_request(place, body))
        return await _read(reader, began)
    finally:
        writer.close()


def fields(model: str, text: str, tokens: int) -> bytes:
    """Build a chat's body with the gateway's default sampling parameters.

    So an engine does the same work with and without the gateway.
    """
    return msgspec.json.encode(
        {
            "model": model,
            "messages": [{"role": "user", "content": text}],
            "max_tokens": tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": 0,
            "top_k": 0,
            "top_p": 1,
            "min_p": 0,
        }
    )


def _request(place: Place, body: bytes) -> bytes:
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n"
        f"authorization: Bearer {place.key}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _read(reader: asyncio.StreamReader, began: float) -> Chat:
    response, first = b"", 0.0
    while data := await reader.read(65_536):
        response += data
        if not first and _CONTENT.search(response):
            first = time.perf_counter()
    counts = _TOKENS.findall(response)
    if not first or not counts:
        raise Refused(response[:300].decode(errors="replace"))
    return Chat((first - began) * 1e3, int(counts[-1]))
