"""Settings: name, e-mail address, password, sessions, providers, promo codes."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from oxlo.portal import auditing, guard, letters, passwords, totp
from oxlo.portal.auth import limits, signup
from oxlo.portal.auth.limits import LoginAttempt, RateLimited
from oxlo.portal.dashboard import agents
from oxlo.portal.forms import FormValues, Problem, text
from oxlo.portal.passwords import WeakPassword
from oxlo.portal.portal import Portal, address
from oxlo.portal.sessions import flash
from oxlo.store import identity, promos, recovery, throttles, tokens
from oxlo.store import sessions as stored
from oxlo.store.accounts import Account
from oxlo.store.errors import AccountExists, InvalidAccount, PromoRefused

_DONE = {
    "saved": ("ok", "Saved."),
    "moved": ("ok", "Saved. A link to confirm the new address is on its way to it."),
    "mailed": ("ok", "A link is on its way to your address."),
    "held": (
        "warn",
        "No further link was sent: use the last one, and look among the spam too. You can ask for "
        "another within the hour.",
    ),
    "made": ("ok", "A link was made. No e-mail is sent here: the operator passes it on."),
    "password": ("ok", "Your password is changed. You are logged out everywhere else."),
    "totp-off": ("ok", "You are no longer asked for a code."),
    "others": ("ok", "You are logged out everywhere else."),
    "linked": ("ok", "You can now log in with that account too."),
    "linked-elsewhere": ("bad", "That account is linked to somebody else here."),
    "unlinked": ("ok", "That account can no longer log in here."),
}
_WRONG = "This is not your password."


async def page(request: Request) -> Response:
    """The settings page."""
    if done := _DONE.get(request.query_params.get("done", "")):
        flash(request, *done)
    return await respond(request)


async def save_profile(request: Request, form: FormData) -> Response:
    """Change name or e-mail address; the old address is notified, the new one verified."""
    portal, account = Portal.of(request), guard.account(request)
    name, email = text(form, "name").strip(), text(form, "email").strip()
    try:
        if email.lower() != (account.email or ""):
            await check_password(request, text(form, "password"), "email-password")
        async with portal.site.database.write() as db:
            if name != account.name:
                await identity.rename(db, account, name)
            if email.lower() != (account.email or ""):
                await _change_email(db, request, email)
    except Problem as problem:
        return await respond(request, problem, profile=FormValues.of(form))
    except InvalidAccount as error:
        field = "name" if "name has" in str(error) else "email"
        return await respond(request, Problem(field, str(error)), profile=FormValues.of(form))
    except AccountExists as error:
        field = "name" if "name" in str(error) else "email"
        return await respond(request, Problem(field, str(error)), profile=FormValues.of(form))
    done = "saved"
    if email.lower() != (account.email or ""):
        done = "moved" if portal.settings.smtp_url else "made"
    # Browsers keep the form's fragment otherwise, and scroll past the message.
    return guard.redirect(f"/dashboard/settings?done={done}#top")


async def _change_email(db: AsyncConnection, request: Request, email: str) -> None:
    portal, account = Portal.of(request), guard.account(request)
    checked = await identity.set_email(db, account, email)
    letter = letters.address_changed(portal.settings.base_url, checked)
    await letters.notify(db, account, letter, now=portal.now)
    await tokens.forget(db, account.id, "reset")  # such a link may still be in the old mailbox
    await signup.ask_to_verify(db, portal, msgspec.structs.replace(account, email=checked))
    await auditing.record_own(db, request, "email.changed", account)


async def save_password(request: Request, form: FormData) -> Response:
    """Change the password and end all other sessions."""
    portal, visit = Portal.of(request), guard.visit(request)
    account, new = visit.account, text(form, "new")
    try:
        if account.password_hash is not None:
            await check_password(request, text(form, "password"), "password")
        passwords.check(new, account.email or "")
    except Problem as problem:
        return await respond(request, problem)
    except WeakPassword as error:
        return await respond(request, Problem("new", str(error)))
    hashed = await portal.passwords.hash(new)
    async with portal.site.database.write() as db:
        await identity.set_password(db, account, hashed)
        await stored.end_all(db, account.id, but=visit.session.id)
        await tokens.forget(db, account.id, "reset", "welcome")
        letter = letters.password_changed(portal.settings.base_url, address(request))
        await letters.notify(db, account, letter, now=portal.now)
        await auditing.record_own(db, request, "password.changed", account)
    return guard.redirect("/dashboard/settings?done=password#top")


async def sign_out_others(request: Request, _form: FormData) -> Response:
    """End all sessions except this one."""
    portal, visit = Portal.of(request), guard.visit(request)
    async with portal.site.database.write() as db:
        await stored.end_all(db, visit.account.id, but=visit.session.id)
    return guard.redirect("/dashboard/settings?done=others#top")


async def unlink(request: Request, form: FormData) -> Response:
    """Unlink a login provider, unless it is the only way to log in."""
    portal, account = Portal.of(request), guard.account(request)
    async with portal.site.database.write() as db:
        others = len(await identity.linked(db, account.id)) > 1
        if account.password_hash is None and not others:
            return await respond(request, Problem("providers", "Set a password first."))
        await identity.unlink(db, account.id, text(form, "provider"))
    return guard.redirect("/dashboard/settings?done=unlinked#top")


async def use_promo(request: Request, form: FormData) -> Response:
    """Redeem a promo code."""
    portal, account = Portal.of(request), guard.account(request)
    try:
        async with portal.site.database.write() as db:
            attempt = await limits.take(db, limits.PROMO, account.id, "wrong codes", now=portal.now)
        async with portal.site.database.write() as db:
            await promos.redeem(db, account, text(form, "promo"), now=portal.now)
            await throttles.undo(db, attempt, now=portal.now)
            code = promos.spelt(text(form, "promo"))
            await auditing.record_own(db, request, "promo.used", account, code)
    except (RateLimited, PromoRefused) as refused:
        return await respond(request, Problem("promo", str(refused)))
    return guard.redirect("/dashboard?done=promo")


async def check_password(request: Request, password: str, field: str) -> None:
    """Check the account's password, rate-limited like a login. Raises Problem."""
    portal, account = Portal.of(request), guard.account(request)
    if account.password_hash is None:
        return
    if not password:
        raise Problem(field, "Type your password.")
    attempt = await begin_attempt(request, field)
    if not await portal.passwords.matches(account.password_hash, password):
        raise Problem(field, _WRONG)
    async with portal.site.database.write() as db:
        await attempt.passed(db, now=portal.now)


async def begin_attempt(request: Request, field: str) -> LoginAttempt:
    """Start an authentication attempt, counted as failed until it succeeds. Raises Problem."""
    portal, account = Portal.of(request), guard.account(request)
    attempt = LoginAttempt(account.email or account.id, address(request))
    try:
        async with portal.site.database.write() as db:
            await attempt.begin(db, now=portal.now)
    except RateLimited as limited:
        raise Problem(field, str(limited)) from None
    return attempt


async def respond(
    request: Request,
    problem: Problem | None = None,
    *,
    profile: FormValues | None = None,
    recovery_codes: Sequence[str] = (),
) -> Response:
    """Render the page with a problem, or with new recovery codes, which are shown once.

    `profile` has the fields of a profile that was not saved, to be corrected.
    """
    portal, visit = Portal.of(request), guard.visit(request)
    async with portal.site.database.read() as db:
        account = await identity.by_id(db, visit.account.id)
        logins = await stored.of_account(db, account.id, now=portal.now)
        linked = await identity.linked(db, account.id)
        left = await recovery.left(db, account.id)
    context = _pairing(portal, account) | {
        "account": account,
        "profile": profile or {"name": account.name, "email": account.email or ""},
        "sessions": logins,
        "this": visit.session.id,
        "browser": agents.browser_name,
        "problems": FormValues({problem.field: str(problem)} if problem else {}),
        "codes": recovery_codes,
        "codes_left": left,
        "linked": linked,
        "providers": portal.providers,
        "days": portal.settings.receipts_days,
    }
    status = 400 if problem else 200
    return guard.respond(request, "dashboard/settings.html", context, status=status)


def _pairing(portal: Portal, account: Account) -> dict[str, Any]:
    """The TOTP secret for an authenticator, until it is confirmed."""
    if account.totp_nonce is None or account.totp_at is not None:
        return {"secret": "", "uri": "", "picture": ""}
    secret = totp.secret(portal.signing, account.totp_nonce)
    link = totp.uri(secret, account.email or account.name)
    return {"secret": totp.grouped(secret), "uri": link, "picture": totp.qr_code(link)}
