"""`GET /status.json`: the public status of the platform, as on the status page."""

from starlette.requests import Request
from starlette.responses import Response

from oxlo.control import replies
from oxlo.control.context import Control
from oxlo.store.status import Board


async def endpoint(request: Request) -> Response:
    """Answer without authentication: the status holds no accounts, machines or prompts."""
    reply = replies.json(await Control.of(request).status.read())
    reply.headers["cache-control"] = f"public, max-age={Board.MOST_AGE:.0f}"
    reply.headers["access-control-allow-origin"] = "*"
    return reply
