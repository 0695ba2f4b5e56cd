"""A reply that is sent while it is made."""

import asyncio
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from oxlo.errors import ApiError
from oxlo.serving.work import Cancelled, gone

EVENTS = "text/event-stream"


async def reply(request: Request, pieces: AsyncIterator[bytes], media_type: str) -> Response:
    """The pieces. What they raise before the first one is a reply with its own status.

    The request's body has to be read before. Raises Cancelled when the caller has gone.
    """
    first = asyncio.ensure_future(anext(pieces, b""))
    leaving = asyncio.ensure_future(gone(request))
    await asyncio.wait({first, leaving}, return_when=asyncio.FIRST_COMPLETED)
    leaving.cancel()
    if not first.done():
        first.cancel()
        raise Cancelled
    everything = _all(first.result(), pieces)
    return StreamingResponse(
        _told(everything) if media_type == EVENTS else everything, media_type=media_type
    )


async def _all(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece


async def _told(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same; what they raise is the last event."""
    try:
        async for piece in pieces:
            yield piece
    except ApiError as error:
        yield b"data: %b\n\n" % error.body()
