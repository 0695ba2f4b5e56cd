"""An account's requests and receipts, read-only, for operators who handle support questions."""

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from oxlo.errors import NotFound
from oxlo.portal import auditing, guard
from oxlo.portal.dashboard import receipt, requests
from oxlo.portal.portal import Portal
from oxlo.store import calls, identity
from oxlo.store.accounts import Account
from oxlo.store.calls import Call
from oxlo.store.errors import AccountNotFound


def address(account_id: str, call_id: str = "") -> str:
    """Path of an account's request list, or of a receipt."""
    return f"/operator/accounts/{account_id}/requests{call_id and '/' + call_id}"


async def page(request: Request) -> Response:
    """An account's requests, with the same filters as its owner has."""
    account_id = request.path_params["id"]
    async with Portal.of(request).site.database.read() as db:
        owner = await _owner(db, account_id)
    if owner is None:
        return guard.respond(request, "operator/gone.html", {}, status=404)
    return await requests.respond(request, "operator/requests.html", owner, address(account_id))


async def one(request: Request) -> Response:
    """A receipt as its owner sees it; the audit log records who viewed it."""
    portal, account_id = Portal.of(request), request.path_params["id"]
    await portal.live.drain()
    async with portal.site.database.write() as db:
        call = await calls.find(db, request.path_params["call"])
        if call is None or call.account_id != account_id:
            raise NotFound(f"There is nothing at {request.url.path}.")
        owner = await _owner(db, account_id)
        if account_id != guard.account(request).id:
            await auditing.record(db, request, "receipt.viewed", account_id, call.id)
        context = await receipt.receipt_context(db, portal, call)
    context |= {"owner": owner, "list_path": address(account_id)}
    return guard.respond(request, "operator/receipt.html", context)


async def find(request: Request, text: str) -> Call | None:
    """The request with this id, of any account."""
    portal = Portal.of(request)
    await portal.live.drain()
    async with portal.site.database.read() as db:
        return await calls.find(db, text)


async def _owner(db: AsyncConnection, account_id: str) -> Account | None:
    """The owner; None if the account was deleted, which leaves its receipts."""
    try:
        return await identity.by_id(db, account_id)
    except AccountNotFound:
        return None
