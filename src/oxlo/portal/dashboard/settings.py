"""Settings: name, address, password, one-time codes, sessions, one's data, and leaving."""

from collections.abc import Sequence
from typing import Any

import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from oxlo.billing.remote import PAYING
from oxlo.portal import guard, letters, passwords, sessions, totp
from oxlo.portal.dashboard import agents, requests
from oxlo.portal.desk import Desk, address
from oxlo.portal.entry import limits, signup
from oxlo.portal.entry.limits import Braked, Login
from oxlo.portal.guard import text
from oxlo.portal.passwords import WeakPassword
from oxlo.portal.sessions import flash
from oxlo.store import (
    accounts,
    audit,
    brakes,
    history,
    identity,
    keys,
    leaving,
    payments,
    promos,
    recovery,
    tokens,
)
from oxlo.store import sessions as stored
from oxlo.store.accounts import OPERATOR, Account
from oxlo.store.errors import AccountExists, InvalidAccount, PromoRefused

_DONE = {
    "saved": ("ok", "Saved."),
    "mailed": ("ok", "A link is on its way to your address."),
    "password": ("ok", "Your password is changed. You are signed out everywhere else."),
    "totp-off": ("ok", "You are no longer asked for a code."),
    "others": ("ok", "You are signed out everywhere else."),
    "linked": ("ok", "You can log in with that account, too."),
    "linked-elsewhere": ("bad", "That account is linked to somebody else here."),
    "unlinked": ("ok", "That account can no longer log in here."),
}
_EXPORTED = 100_000
_WRONG = "This is not your password."

log = structlog.get_logger()


class Problem(ValueError):
    """A field cannot be used; `field` names it."""

    def __init__(self, field: str, message: str) -> None:
        self.field = field
        super().__init__(message)


async def page(request: Request) -> Response:
    """All of it."""
    if done := _DONE.get(request.query_params.get("done", "")):
        flash(request, *done)
    return await respond(request)


async def save_profile(request: Request, form: FormData) -> Response:
    """Another name, another address. The old address is told, the new one has to be proved."""
    desk, account = Desk.of(request), guard.visit(request).account
    name, email = text(form, "name").strip(), text(form, "email").strip()
    try:
        if email.lower() != (account.email or ""):
            await prove(request, text(form, "password"), "email-password")
        async with desk.site.database.write() as db:
            if name != account.name:
                await identity.rename(db, account, name)
            if email.lower() != (account.email or ""):
                await _move(db, desk, account, email)
    except Problem as problem:
        return await respond(request, problem)
    except InvalidAccount as wrong:
        field = "name" if "name has" in str(wrong) else "email"
        return await respond(request, Problem(field, str(wrong)))
    except AccountExists as exists:
        field = "name" if "name" in str(exists) else "email"
        return await respond(request, Problem(field, str(exists)))
    return guard.back("/dashboard/settings?done=saved")


async def _move(db: AsyncConnection, desk: Desk, account: Account, email: str) -> None:
    checked = await identity.set_email(db, account, email)
    if account.email:
        letter = letters.address_changed(desk.settings.base_url, checked)
        await letters.post(db, account.email, letter, now=desk.now)
    await tokens.forget(db, account.id, "reset")  # a link in the old mailbox
    await signup.ask_to_verify(db, desk, msgspec.structs.replace(account, email=checked))
    await note(db, desk, "email.changed", account)


async def save_password(request: Request, form: FormData) -> Response:
    """Another password; every other session ends."""
    desk, visit = Desk.of(request), guard.visit(request)
    account, new = visit.account, text(form, "new")
    try:
        if account.password_hash is not None:
            await prove(request, text(form, "password"), "password")
        passwords.check(new, account.email or "")
    except Problem as problem:
        return await respond(request, problem)
    except WeakPassword as weak:
        return await respond(request, Problem("new", str(weak)))
    hashed = await desk.passwords.hash(new)
    async with desk.site.database.write() as db:
        await identity.set_password(db, account, hashed)
        await stored.end_all(db, account.id, but=visit.session.id)
        await tokens.forget(db, account.id, "reset", "welcome")
        if account.email:
            letter = letters.password_changed(desk.settings.base_url, address(request))
            await letters.post(db, account.email, letter, now=desk.now)
        await note(db, desk, "password.changed", account, address(request))
    return guard.back("/dashboard/settings?done=password")


async def sign_out_others(request: Request, _form: FormData) -> Response:
    """End every session but this one."""
    desk, visit = Desk.of(request), guard.visit(request)
    async with desk.site.database.write() as db:
        await stored.end_all(db, visit.account.id, but=visit.session.id)
    return guard.back("/dashboard/settings?done=others")


async def unlink(request: Request, form: FormData) -> Response:
    """End the login by a provider, where there is another way in."""
    desk, account = Desk.of(request), guard.visit(request).account
    async with desk.site.database.write() as db:
        others = len(await identity.linked(db, account.id)) > 1
        if account.password_hash is None and not others:
            return await respond(request, Problem("providers", "Set a password first."))
        await identity.unlink(db, account.id, text(form, "provider"))
    return guard.back("/dashboard/settings?done=unlinked")


async def use_promo(request: Request, form: FormData) -> Response:
    """Use a promo code."""
    desk, account = Desk.of(request), guard.visit(request).account
    try:
        async with desk.site.database.write() as db:
            tried = await limits.take(db, limits.PROMO, account.id, "wrong codes", now=desk.now)
        async with desk.site.database.write() as db:
            await promos.redeem(db, account, text(form, "promo"), now=desk.now)
            await brakes.undo(db, tried, now=desk.now)
            await note(db, desk, "promo.used", account, detail=promos.spelt(text(form, "promo")))
    except (Braked, PromoRefused) as refused:
        return await respond(request, Problem("promo", str(refused)))
    return guard.back("/dashboard?done=promo")


async def export(request: Request) -> Response:
    """Everything that is kept of the account, as JSON."""
    desk, account = Desk.of(request), guard.visit(request).account
    await desk.live.drain()
    async with desk.site.database.read() as db:
        taken = await _taken(db, account, desk.now)
    return Response(
        msgspec.json.format(msgspec.json.encode(taken)),
        headers={
            "content-disposition": 'attachment; filename="oxlo-account.json"',
            "cache-control": "no-store",
        },
        media_type="application/json",
    )


async def _taken(db: AsyncConnection, account: Account, now: float) -> dict[str, Any]:
    logins = await stored.of_account(db, account.id, now=now)
    made = (await history.page(db, account.id, limit=_EXPORTED)).calls
    return {
        "account": _without(account, "password_hash", "totp_nonce", "totp_step"),
        "keys": [_without(key, "sha256") for key in await keys.of_account(db, account.id)],
        "sessions": [_without(login, "sha256") for login in logins],
        "providers": await identity.linked(db, account.id),
        "log": await audit.latest(db, about=account.id, limit=_EXPORTED),
        "requests": [requests.as_dict(call) for call in made],
    }


async def delete(request: Request, form: FormData) -> Response:
    """Erase the account. Asked once, with what is lost named beside the button."""
    desk, account = Desk.of(request), guard.visit(request).account
    try:
        await _check_leaves(desk, account)
        await _check_meant(request, text(form, "password"))
    except Problem as problem:
        return await respond(request, problem)
    async with desk.site.database.write() as db:
        await leaving.delete_account(db, account)
        await audit.write(db, "account.deleted", actor=account.id, target=account.id, now=desk.now)
        if account.email:
            await letters.post(
                db, account.email, letters.goodbye(desk.settings.base_url), now=desk.now
            )
    log.info("account.deleted", account=account.id)
    return await sessions.sign_out(request, guard.back("/login?done=deleted"))


async def _check_meant(request: Request, typed: str) -> None:
    """The password, or without one the address, so that no slip deletes an account."""
    account = guard.visit(request).account
    if account.password_hash is not None:
        await prove(request, typed, "delete")
    elif typed.strip().lower() != (account.email or account.name):
        raise Problem("delete", "Type your e-mail address to delete the account.")


async def _check_leaves(desk: Desk, account: Account) -> None:
    async with desk.site.database.read() as db:
        paid = await payments.of_account(db, account.id)
    if paid and paid.status in PAYING and paid.ends_at is None:
        raise Problem("delete", "Cancel your plan in Billing first: it would go on being paid.")
    if account.role != OPERATOR:
        return
    async with desk.site.database.read() as db:
        operators = [a for a in await accounts.everyone(db) if a.role == OPERATOR]
    if len(operators) < 2:
        raise Problem("delete", "The only operator cannot leave: nobody could run this place.")


async def prove(request: Request, password: str, field: str) -> None:
    """The password once more, with the brakes of a log-in. Raises Problem."""
    desk, account = Desk.of(request), guard.visit(request).account
    if account.password_hash is None:
        return
    tried = await begin_try(request, field)
    if not await desk.passwords.matches(account.password_hash, password):
        raise Problem(field, _WRONG)
    async with desk.site.database.write() as db:
        await tried.went_well(db, now=desk.now)


async def begin_try(request: Request, field: str) -> Login:
    """A try to prove who one is, counted as a failure until it has gone well. Raises Problem."""
    desk, account = Desk.of(request), guard.visit(request).account
    tried = Login(account.email or account.id, address(request))
    try:
        async with desk.site.database.write() as db:
            await tried.begin(db, now=desk.now)
    except Braked as braked:
        raise Problem(field, str(braked)) from None
    return tried


async def note(
    db: AsyncConnection,
    desk: Desk,
    action: str,
    account: Account,
    where: str = "",
    *,
    detail: str = "",
) -> None:
    """Say in the audit log what an account did with itself."""
    who = account.id
    await audit.write(db, action, actor=who, target=who, now=desk.now, detail=detail, address=where)


def _without(record: msgspec.Struct, *names: str) -> dict[str, Any]:
    return {k: v for k, v in msgspec.structs.asdict(record).items() if k not in names}


async def respond(
    request: Request, problem: Problem | None = None, *, recovery_codes: Sequence[str] = ()
) -> Response:
    """The page, with what is wrong on it; `recovery_codes` are new, and shown this once."""
    desk, visit = Desk.of(request), guard.visit(request)
    async with desk.site.database.read() as db:
        account = await identity.by_id(db, visit.account.id)
        logins = await stored.of_account(db, account.id, now=desk.now)
        linked = await identity.linked(db, account.id)
        left = await recovery.left(db, account.id)
    context = _pairing(desk, account) | {
        "account": account,
        "sessions": logins,
        "this": visit.session.id,
        "browser": agents.named,
        "problems": guard.Filled({problem.field: str(problem)} if problem else {}),
        "codes": recovery_codes,
        "codes_left": left,
        "linked": linked,
        "providers": desk.providers,
        "days": desk.settings.receipts_days,
    }
    status = 400 if problem else 200
    return guard.respond(request, "dashboard/settings.html", context, status=status)


def _pairing(desk: Desk, account: Account) -> dict[str, Any]:
    """The secret that an authenticator is shown, while it is not confirmed."""
    if account.totp_nonce is None or account.totp_at is not None:
        return {"secret": "", "uri": "", "picture": ""}
    secret = totp.secret(desk.signing, account.totp_nonce)
    link = totp.uri(secret, account.email or account.name)
    return {"secret": totp.shown(secret), "uri": link, "picture": totp.picture(link)}
