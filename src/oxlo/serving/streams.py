"""A reply that is sent while it is made."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from oxlo.serving.work import Cancelled, Job, Workers, gone


async def reply(
    workers: Workers,
    request: Request,
    work: Callable[[Job], Iterator[bytes]],
    media_type: str,
) -> Response:
    """The pieces of `work`. What it raises before the first one is a reply with its own status.

    The request's body has to be read before. Raises Cancelled when the caller has gone.
    """
    pieces = workers.stream(work)
    first = asyncio.ensure_future(anext(pieces, b""))
    leaving = asyncio.ensure_future(gone(request))
    await asyncio.wait({first, leaving}, return_when=asyncio.FIRST_COMPLETED)
    leaving.cancel()
    if not first.done():
        first.cancel()
        raise Cancelled
    return StreamingResponse(_all(first.result(), pieces), media_type=media_type)


async def _all(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece
