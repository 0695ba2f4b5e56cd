"""Export and deletion of an account's data."""

from typing import Any

import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from oxlo.billing.remote import PAYING
from oxlo.portal import guard, letters, sessions
from oxlo.portal.dashboard import requests, settings
from oxlo.portal.forms import Problem, text
from oxlo.portal.portal import Portal
from oxlo.store import accounts, audit, history, identity, keys, leaving, payments
from oxlo.store import sessions as stored
from oxlo.store.accounts import OPERATOR, Account

#: Maximum requests and log entries in an export.
_EXPORTED = 100_000

log = structlog.get_logger()


async def export(request: Request) -> Response:
    """All stored data of the account, as JSON."""
    portal, account = Portal.of(request), guard.account(request)
    await portal.live.drain()
    async with portal.site.database.read() as db:
        collected = await _collected(db, account, portal.now)
    return Response(
        msgspec.json.format(msgspec.json.encode(collected)),
        headers={
            "content-disposition": 'attachment; filename="oxlo-account.json"',
            "cache-control": "no-store",
        },
        media_type="application/json",
    )


async def _collected(db: AsyncConnection, account: Account, now: float) -> dict[str, Any]:
    logins = await stored.of_account(db, account.id, now=now)
    calls = (await history.page(db, account.id, limit=_EXPORTED)).calls
    return {
        "account": _without(account, "password_hash", "totp_nonce", "totp_step"),
        "keys": [_without(key, "sha256") for key in await keys.of_account(db, account.id)],
        "sessions": [_without(login, "sha256") for login in logins],
        "providers": await identity.linked(db, account.id),
        "log": await audit.latest(db, about=account.id, limit=_EXPORTED),
        "requests": [requests.as_dict(call) for call in calls],
    }


async def delete(request: Request, form: FormData) -> Response:
    """Delete the account. The button states what is lost, so there is no second question."""
    portal, account = Portal.of(request), guard.account(request)
    try:
        await _check_deletable(portal, account)
        await _check_confirmed(request, text(form, "password"))
    except Problem as problem:
        return await settings.respond(request, problem)
    await portal.live.drain()  # requests still in the journal have to be anonymised too
    async with portal.site.database.write() as db:
        await leaving.delete_account(db, account)
        await audit.write(
            db, "account.deleted", actor=account.id, target=account.id, now=portal.now
        )
        await letters.notify(db, account, letters.goodbye(portal.settings.base_url), now=portal.now)
    log.info("account.deleted", account=account.id)
    return await sessions.sign_out(request, guard.redirect("/login?done=deleted"))


async def _check_confirmed(request: Request, typed: str) -> None:
    """Require the password, or the e-mail address of an account without one. Raises Problem."""
    account = guard.account(request)
    if account.password_hash is not None:
        await settings.check_password(request, typed, "delete")
    elif typed.strip().lower() != (account.email or account.name):
        raise Problem("delete", "Type your e-mail address to delete the account.")


async def _check_deletable(portal: Portal, account: Account) -> None:
    async with portal.site.database.read() as db:
        subscription = await payments.of_account(db, account.id)
    if subscription and subscription.status in PAYING and subscription.ends_at is None:
        raise Problem("delete", "Cancel your plan in Billing first: you would keep paying.")
    if account.role != OPERATOR:
        return
    async with portal.site.database.read() as db:
        operators = [a for a in await accounts.everyone(db) if a.role == OPERATOR]
    if len(operators) < 2:
        raise Problem(
            "delete",
            "You are the only operator: make somebody else one first.",
        )


def _without(record: msgspec.Struct, *names: str) -> dict[str, Any]:
    return {k: v for k, v in msgspec.structs.asdict(record).items() if k not in names}
