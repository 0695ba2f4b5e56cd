"""Accounts, for operators: search, change plan, grant requests, close."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from oxlo.ledger.windows import day_of
from oxlo.portal import auditing, guard, letters
from oxlo.portal.dashboard import overview
from oxlo.portal.forms import text
from oxlo.portal.operator import calls
from oxlo.portal.portal import Portal
from oxlo.portal.sessions import flash
from oxlo.store import accounts, audit, grants, history, identity, keys, search, standing, tokens
from oxlo.store.accounts import Account
from oxlo.store.errors import AccountNotFound, CallNotFound, InvalidGrant

PATH = "/operator/accounts"
_ON_A_PAGE = 50
_LATEST = 50
#: Maximum log entries, and days of grants.
_MAX_LOG_ENTRIES = 20
_GRANTED_DAYS = 30
_DONE = {
    "plan": "The account is on its new plan, from its next call on.",
    "granted": "The requests are granted for today.",
    "refunded": "The request is given back, as one of today.",
    "closed": "The account is closed: its keys get 401 and it is logged out.",
    "opened": "The account is open again.",
    "totp": "One-time codes are off for this account.",
    "role": "The account's role is changed.",
}


async def page(request: Request) -> Response:
    """Accounts, newest first, searched by part of a name, address or id.

    Searching for a request id redirects to its receipt.
    """
    query = request.query_params.get("q", "").strip()[:100]
    if query and (call := await calls.find(request, query)):
        return guard.redirect(calls.address(call.account_id, call.id))
    begin = _parse_int(request.query_params.get("from", "0"))
    async with Portal.of(request).site.database.read() as db:
        matching = await search.accounts(db, query, begin=begin, limit=_ON_A_PAGE + 1)
        total = await search.number(db)
    context = {
        "q": query,
        "accounts": matching[:_ON_A_PAGE],
        "total": total,
        "receipts_days": Portal.of(request).settings.receipts_days,
        "next": begin + _ON_A_PAGE if len(matching) > _ON_A_PAGE else 0,
    }
    return guard.respond(request, "operator/accounts.html", context)


async def one(request: Request) -> Response:
    """One account."""
    if message := _DONE.get(request.query_params.get("done", "")):
        flash(request, "ok", message)
    return await _one(request)


async def set_plan(request: Request, form: FormData) -> Response:
    """Change the plan."""
    portal = Portal.of(request)
    try:
        plan = portal.site.plans[text(form, "plan")]
    except KeyError:
        return await _one(request, problem="There is no such plan.")
    async with portal.site.database.write() as db:
        account = await _account(db, request)
        await accounts.set_plan(db, account, plan)
        await _note(db, request, "account.plan", f"{account.plan} to {plan.id}")
    return _back(request, "plan")


async def grant(request: Request, form: FormData) -> Response:
    """Grant requests for today, with a reason."""
    portal = Portal.of(request)
    number, reason = _parse_int(text(form, "requests")), text(form, "reason")
    try:
        async with portal.site.database.write() as db:
            account = await _account(db, request)
            today = day_of(portal.now)
            await grants.give(db, account.id, number, reason, day=today, now=portal.now)
            await _note(db, request, "requests.granted", f"{number}: {reason.strip()}")
    except InvalidGrant as error:
        return await _one(request, problem=str(error))
    return _back(request, "granted")


async def refund(request: Request, form: FormData) -> Response:
    """Refund a counted request."""
    portal, call = Portal.of(request), text(form, "request").strip()
    try:
        async with portal.site.database.write() as db:
            account = await _account(db, request)
            refunded = await grants.refund(db, call, text(form, "reason"), now=portal.now)
            _check_owner(refunded.account_id, account)
            await _note(db, request, "request.refunded", f"{call}: {refunded.reason}")
    except (InvalidGrant, CallNotFound) as error:
        return await _one(request, problem=str(error))
    return _back(request, "refunded")


async def close(request: Request, _form: FormData) -> Response:
    """Close the account; its keys and sessions end."""
    portal = Portal.of(request)
    async with portal.site.database.write() as db:
        account = await _account(db, request)
        if account.id == guard.account(request).id:
            return await _one(request, problem="You cannot close your own account.")
        await identity.close(db, account, now=portal.now)
        await _note(db, request, "account.closed")
    return _back(request, "closed")


async def reopen(request: Request, _form: FormData) -> Response:
    """Reopen a closed account."""
    async with Portal.of(request).site.database.write() as db:
        await identity.reopen(db, await _account(db, request))
        await _note(db, request, "account.opened")
    return _back(request, "opened")


async def set_role(request: Request, form: FormData) -> Response:
    """Make the account an operator, or a user again."""
    role = "operator" if text(form, "role") == "operator" else "user"
    async with Portal.of(request).site.database.write() as db:
        account = await _account(db, request)
        if account.id == guard.account(request).id:
            return await _one(request, problem="You cannot change your own role.")
        await identity.set_role(db, account, role)
        await _note(db, request, "account.role", role)
    return _back(request, "role")


async def end_totp(request: Request, _form: FormData) -> Response:
    """Disable one-time codes for somebody who has lost the device."""
    portal = Portal.of(request)
    async with portal.site.database.write() as db:
        account = await _account(db, request)
        await identity.end_totp(db, account)
        letter = letters.codes_turned_off(portal.settings.base_url)
        await letters.notify(db, account, letter, now=portal.now)
        await _note(db, request, "totp.off")
    return _back(request, "totp")


async def make_link(request: Request, _form: FormData) -> Response:
    """Create a link that sets the account's password; shown once."""
    portal = Portal.of(request)
    async with portal.site.database.write() as db:
        account = await _account(db, request)
        link = await tokens.welcome(db, account.id, portal.settings.base_url, now=portal.now)
        await _note(db, request, "password.link")
    return await _one(request, link=link)


def _check_owner(owner: str, account: Account) -> None:
    if owner != account.id:
        raise CallNotFound("this account has no such call")


async def _account(db: AsyncConnection, request: Request) -> Account:
    return await identity.by_id(db, request.path_params["id"])


async def _note(db: AsyncConnection, request: Request, action: str, detail: str = "") -> None:
    await auditing.record(db, request, action, request.path_params["id"], detail)


def _back(request: Request, done: str) -> Response:
    return guard.redirect(f"{PATH}/{request.path_params['id']}?done={done}")


def _parse_int(value: str) -> int:
    return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else 0


async def _one(request: Request, *, problem: str = "", link: str = "") -> Response:
    portal = Portal.of(request)
    await portal.live.drain()
    try:
        async with portal.site.database.read() as db:
            account = await _account(db, request)
            details = await _details(db, portal, account)
    except AccountNotFound:
        return guard.respond(request, "operator/gone.html", {}, status=404)
    own = account.id == guard.account(request).id
    context = details | {"problem": problem, "link": link, "own": own}
    status = 400 if problem else 200
    return guard.respond(request, "operator/account.html", context, status=status)


async def _details(db: AsyncConnection, portal: Portal, account: Account) -> dict[str, Any]:
    """Template context of an account's page."""
    used = await standing.used(db, account.id, now=portal.now)
    log = await audit.latest(db, about=account.id, limit=_MAX_LOG_ENTRIES)
    today = day_of(portal.now)
    return {
        "account": account,
        "limits": overview.current_limits(overview.plan_of(portal, account), used, portal.now),
        "plans": tuple(portal.site.plans),
        "keys": await keys.of_account(db, account.id),
        "calls": (await history.page(db, account.id, limit=_LATEST)).calls,
        "grants": await grants.between(db, account.id, today - _GRANTED_DAYS, today + 1),
        "log": log,
        "names": await search.names(db, {e.actor for e in log} | {e.target for e in log}),
        "reason": portal.live.reason,
    }
