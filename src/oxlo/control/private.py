"""The private application, for gateways: key look-ups, changes, usage counts."""

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from oxlo.control import replies
from oxlo.control.context import Control
from oxlo.errors import BadRequest, NotFound
from oxlo.ledger.counted import Counted
from oxlo.store import calls, changes, keys
from oxlo.store.errors import DatabaseUnavailable

#: Name of the gateways' requests among control's troubles.
_LOOKUPS = "look-ups"

log = structlog.get_logger()


async def _key(request: Request) -> Response:
    control = Control.of(request)
    async with control.database.read() as db:
        caller = await keys.caller(db, request.path_params["sha256"], now=control.clock())
    if caller is None:
        raise NotFound("No account may be used with this key.")
    return replies.json(caller)


async def _changes(request: Request) -> Response:
    control = Control.of(request)
    try:
        number = int(request.query_params.get("since", 0))
    except ValueError:
        raise BadRequest("/changes takes ?since=N.") from None
    async with control.database.read() as db:
        reply = await changes.since(db, number)
    if control.troubles.ends(_LOOKUPS):
        log.info("database.recovered")
    return replies.json(reply)


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


async def _no_database(request: Request, problem: Exception) -> Response:
    """Log the first failure only: gateways ask twice a second."""
    if Control.of(request).troubles.begins(_LOOKUPS, str(problem)):
        log.error("database.unavailable", error=str(problem))
    return replies.no_database(request)


def app(control: Control) -> Starlette:
    """The application behind `settings.control_private_socket`."""
    routes = [
        Route("/keys/{sha256}", _key),
        Route("/changes", _changes),
        Route("/counted/{account}", _counted),
    ]
    handlers = {**replies.HANDLERS, DatabaseUnavailable: _no_database}
    return control.attach(Starlette(routes=routes, exception_handlers=handlers))
