"""Settings: one-time codes (TOTP) and recovery codes."""

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from oxlo.portal import auditing, guard, recovery, totp
from oxlo.portal.auth import login
from oxlo.portal.dashboard import settings
from oxlo.portal.forms import Problem, text
from oxlo.portal.portal import Portal
from oxlo.portal.sessions import flash
from oxlo.store import identity
from oxlo.store import recovery as kept

_ON = "From now on, you are asked for a code when you log in."


async def offer(request: Request, _form: FormData) -> Response:
    """Show a new TOTP secret."""
    portal, account = Portal.of(request), guard.account(request)
    if account.totp_at is None:
        async with portal.site.database.write() as db:
            await identity.offer_totp(db, account, totp.nonce())
    return guard.redirect("/dashboard/settings#totp")


async def confirm(request: Request, form: FormData) -> Response:
    """Enable one-time codes after a first valid code, and show the recovery codes once."""
    portal, account = Portal.of(request), guard.account(request)
    valid = account.totp_nonce and await login.is_code(portal, account, text(form, "code"))
    if not valid:
        message = "This code is wrong. Check the clock of your device."
        return await settings.respond(request, Problem("code", message))
    new_codes = recovery.new_codes()
    async with portal.site.database.write() as db:
        await identity.confirm_totp(db, account, now=portal.now)
        await kept.renew(db, account.id, _digests(portal, account.id, new_codes), now=portal.now)
        await auditing.record_own(db, request, "totp.on", account)
    flash(request, "ok", _ON)
    return await settings.respond(request, recovery_codes=new_codes)


async def renew(request: Request, form: FormData) -> Response:
    """Replace the recovery codes, given the password."""
    portal, account = Portal.of(request), guard.account(request)
    try:
        await settings.check_password(request, text(form, "password"), "codes-password")
    except Problem as problem:
        return await settings.respond(request, problem)
    if account.totp_at is None:
        return guard.redirect("/dashboard/settings#totp")
    new_codes = recovery.new_codes()
    async with portal.site.database.write() as db:
        await kept.renew(db, account.id, _digests(portal, account.id, new_codes), now=portal.now)
        await auditing.record_own(db, request, "recovery.renewed", account)
    return await settings.respond(request, recovery_codes=new_codes)


async def end(request: Request, form: FormData) -> Response:
    """Disable one-time codes, given a last valid code; or cancel a set-up, without one."""
    portal, account = Portal.of(request), guard.account(request)
    if account.totp_at is None:
        async with portal.site.database.write() as db:
            await identity.end_totp(db, account)
        return guard.redirect("/dashboard/settings#totp")
    try:
        attempt = await settings.begin_attempt(request, "code")
    except Problem as problem:
        return await settings.respond(request, problem)
    code = text(form, "code")
    if not await login.is_second_factor(request, account, code):
        message = "This code is wrong or was used already."
        return await settings.respond(request, Problem("code", message))
    async with portal.site.database.write() as db:
        await attempt.passed(db, now=portal.now)
        await identity.end_totp(db, account)
        await auditing.record_own(db, request, "totp.off", account)
    return guard.redirect("/dashboard/settings?done=totp-off#top")


def _digests(portal: Portal, account_id: str, codes: list[str]) -> list[str]:
    return [recovery.digest(portal.signing, account_id, code) for code in codes]
