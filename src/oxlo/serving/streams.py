"""Streaming responses."""

import asyncio
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from oxlo.errors import ApiError
from oxlo.serving.work import Cancelled, disconnected

EVENTS = "text/event-stream"


async def reply(request: Request, chunks: AsyncIterator[bytes], media_type: str) -> Response:
    """Stream `chunks`; an error before the first chunk becomes a response with its own status.

    The request's body must have been read. Raises Cancelled if the client has disconnected.
    """
    first = asyncio.ensure_future(anext(chunks, b""))
    disconnect = asyncio.ensure_future(disconnected(request))
    await asyncio.wait({first, disconnect}, return_when=asyncio.FIRST_COMPLETED)
    disconnect.cancel()
    if not first.done():
        first.cancel()
        raise Cancelled
    body = _all(first.result(), chunks)
    return StreamingResponse(
        _with_errors(body) if media_type == EVENTS else body, media_type=media_type
    )


async def _all(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk


async def _with_errors(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Append an ApiError raised by `chunks` as the last event."""
    try:
        async for chunk in chunks:
            yield chunk
    except ApiError as error:
        yield b"data: %b\n\n" % error.body()
