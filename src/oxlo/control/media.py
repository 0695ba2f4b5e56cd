"""`GET /media/{name}`: a stored image, for anybody with a valid signed link."""

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from oxlo.control.context import Control
from oxlo.errors import Forbidden, NotFound, Overloaded
from oxlo.objects.errors import StorageError
from oxlo.objects.store import Found


async def endpoint(request: Request) -> Response:
    """Stream the file. Raises Forbidden for forged and expired links, NotFound, Overloaded."""
    control, name = Control.of(request), request.path_params["name"]
    query = request.query_params
    expires, now = query.get("expires", ""), control.clock()
    if not control.signer.allows(name, expires, query.get("signature", ""), now):
        raise Forbidden(
            "This link is not valid, or has expired.",
            code="link_expired",
        )
    found = await _found(control, name)
    headers = {
        "content-length": str(found.size),
        # Clients may embed the image in their own pages.
        "cross-origin-resource-policy": "cross-origin",
        "cache-control": f"private, max-age={int(expires) - int(now)}, immutable",
        "x-content-type-options": "nosniff",
    }
    return StreamingResponse(found.pieces, headers=headers, media_type=found.type)


async def _found(control: Control, name: str) -> Found:
    try:
        found = await control.objects.get(name)
    except StorageError:
        raise Overloaded("Images cannot be read right now.", retry_after=5) from None
    if found is None:
        raise NotFound("This image is no longer kept.")
    return found
