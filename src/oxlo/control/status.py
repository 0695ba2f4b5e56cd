"""`GET /status.json`: how the platform is doing, for everybody; a page shows the same."""

from starlette.requests import Request
from starlette.responses import Response

from oxlo.control import replies
from oxlo.control.context import Control
from oxlo.store.status import Board


async def endpoint(request: Request) -> Response:
    """Answer anybody: it says nothing of accounts, machines or prompts."""
    reply = replies.json(await Control.of(request).status.read())
    reply.headers["cache-control"] = f"public, max-age={Board.MOST_AGE:.0f}"
    reply.headers["access-control-allow-origin"] = "*"
    return reply
