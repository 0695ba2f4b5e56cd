"""The private application, for gateways: key look-ups, the change counter, usage counts."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from oxlo.control import replies
from oxlo.control.context import Control
from oxlo.errors import BadRequest, NotFound
from oxlo.ledger.counted import Counted
from oxlo.store import calls, changes, keys


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


async def _counted(request: Request) -> Response:
    """Usage of an account, to seed Valkey's counters; drains the journals first."""
    control = Control.of(request)
    account, query = request.path_params["account"], request.query_params
    try:
        day, minute = int(query["day"]), int(query["minute"])
    except (KeyError, ValueError):
        raise BadRequest("/counted/ACCOUNT takes ?day=N&minute=N.") from None
    as_of = control.clock()
    await control.drain.run()
    async with control.database.read() as db:
        counted = Counted(
            day=day,
            day_used=await calls.counted_on(db, account, day),
            minute=minute,
            minute_used=await calls.counted_in(db, account, minute),
            refunds=await calls.refunded_on(db, account, day),
            as_of=as_of,
        )
    return replies.json(counted)


def app(control: Control) -> Starlette:
    """The application behind `settings.control_private_socket`."""
    routes = [
        Route("/keys/{sha256}", _key),
        Route("/changes", _changes),
        Route("/counted/{account}", _counted),
    ]
    return control.attach(Starlette(routes=routes, exception_handlers=replies.HANDLERS))
