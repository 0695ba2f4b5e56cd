"""The private application, for gateways: whose key is this, and has anything changed?"""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from oxlo.control import replies
from oxlo.control.context import Control
from oxlo.errors import NotFound
from oxlo.store import changes, keys


async def _key(request: Request) -> Response:
    control = Control.of(request)
    async with control.database.read() as db:
        caller = await keys.caller(db, request.path_params["sha256"], now=control.clock())
    if caller is None:
        raise NotFound("No account may be used with this key.")
    return replies.json(caller)


async def _changes(request: Request) -> Response:
    async with Control.of(request).database.read() as db:
        return replies.json({"counter": await changes.count(db)})


def app(control: Control) -> Starlette:
    """The application behind `settings.control_private_socket`."""
    routes = [Route("/keys/{sha256}", _key), Route("/changes", _changes)]
    return control.attach(Starlette(routes=routes, exception_handlers=replies.HANDLERS))
