"""Pages behind links in mails: verify an address, set a password.

Opening a link changes nothing, because mail programs prefetch links: only the button does.
"""

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.background import BackgroundTask
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from oxlo.portal import auditing, guard, letters, passwords, sessions
from oxlo.portal.auth import limits, signup
from oxlo.portal.forms import FormValues, text
from oxlo.portal.passwords import WeakPassword
from oxlo.portal.portal import Portal, address
from oxlo.store import accounts, identity, throttles, tokens
from oxlo.store import sessions as stored
from oxlo.store.accounts import Account
from oxlo.store.errors import AccountExists, InvalidAccount, TokenSpent
from oxlo.store.tokens import Purpose

#: Purposes of links that set a password: a reset, and the first password of an account.
_PASSWORD: tuple[Purpose, ...] = ("reset", "welcome")

log = structlog.get_logger()


async def forgot(request: Request) -> Response:
    """The form that requests a reset link."""
    return _forgot(request)


async def send_reset(request: Request, form: FormData) -> Response:
    """Send a reset link if the address has an account; the response is the same if it has none."""
    portal, email = Portal.of(request), text(form, "email").strip()
    try:
        email = accounts.checked_email(email)
    except InvalidAccount:
        return _forgot(request, email, problem="Write it like name@example.com.")
    where = limits.network(address(request))
    try:
        async with portal.site.database.write() as db:
            await limits.take(db, limits.ASKING, where, "mails asked for", now=portal.now)
    except limits.RateLimited as limited:
        return _forgot(request, email, problem=str(limited), status=429)
    reply = _forgot(request, email, sent=True)
    # After the response, so that its timing does not reveal whether the address has an account.
    reply.background = BackgroundTask(_mail_reset, request, email)
    return reply


async def _mail_reset(request: Request, email: str) -> None:
    portal, where = Portal.of(request), address(request)
    async with portal.site.database.write() as db:
        account, recipient = await identity.by_email(db, email), limits.person(email)
        if account is None or account.disabled_at is not None:
            log.info("reset.not_sent", held=False, address=where)
            return
        if (await throttles.take(db, limits.MAILS, recipient, now=portal.now)).wait:
            log.info("reset.not_sent", held=True, address=where)
            return
        token = await tokens.issue(db, account.id, "reset", now=portal.now, email=email)
        await letters.post(
            db, email, letters.reset(portal.settings.base_url, token), now=portal.now
        )
        await auditing.record_own(db, request, "password.reset_asked", account)


async def new_password(request: Request) -> Response:
    """The form behind a link: a new password, and an address if the account has none."""
    token = request.query_params.get("token", "")
    async with Portal.of(request).site.database.read() as db:
        try:
            account = await _account_of(db, Portal.of(request), token)
        except TokenSpent as spent:
            return _spent(request, spent, "/forgot", "Ask for a new link")
    return _password_page(request, token, account)


async def set_password(request: Request, form: FormData) -> Response:
    """Use the link: set the password and end all earlier sessions."""
    portal, token, email = Portal.of(request), text(form, "token"), text(form, "email").strip()
    password = text(form, "password")
    try:
        async with portal.site.database.read() as db:
            account = await _account_of(db, portal, token)
        problem = _weak(password, account.email or email)
        if problem or (not account.email and not email):
            problems = {"password": problem} if problem else {"email": _NO_ADDRESS}
            return _password_page(request, token, account, email, problems)
        account = await _set(request, token, email, await portal.passwords.hash(password))
    except TokenSpent as spent:
        return _spent(request, spent, "/forgot", "Ask for a new link")
    except InvalidAccount:
        return _password_page(request, token, account, email, {"email": _NO_ADDRESS})
    except AccountExists as error:
        return _password_page(request, token, account, email, {"email": str(error)})
    if account.totp_at is not None:
        return guard.redirect("/login?done=password")
    return await sessions.sign_in(request, guard.redirect("/dashboard"), account)


_NO_ADDRESS = "Write it like name@example.com. You will log in with it."


def _weak(password: str, email: str) -> str:
    try:
        passwords.check(password, email)
    except WeakPassword as weak:
        return str(weak)
    return ""


async def _set(request: Request, token: str, email: str, hashed: str) -> Account:
    """Apply all changes in one transaction. Raises TokenSpent, AccountExists, InvalidAccount."""
    portal = Portal.of(request)
    async with portal.site.database.write() as db:
        used = await tokens.use(db, token, *_PASSWORD, now=portal.now)
        account = await identity.by_id(db, used.account_id)
        if not account.email:
            await identity.set_email(db, account, email)
        elif used.email == account.email and account.verified_at is None:
            await _prove_address(db, account, now=portal.now)
        await identity.set_password(db, account, hashed)
        await stored.end_all(db, account.id)
        await tokens.forget(db, account.id, *_PASSWORD)
        await auditing.record_own(db, request, "password.set", account)
        if used.purpose == "reset":
            letter = letters.password_changed(portal.settings.base_url, address(request))
            await letters.notify(db, account, letter, now=portal.now)
        return await identity.by_id(db, account.id)


async def _prove_address(db: AsyncConnection, account: Account, *, now: float) -> None:
    """Verify the address; providers that somebody else may have linked before no longer log in."""
    await identity.unlink(db, account.id, *await identity.linked(db, account.id))
    await identity.verify(db, account, now=now)


async def verify(request: Request) -> Response:
    """The page behind a verification link: one button."""
    token = request.query_params.get("token", "")
    portal = Portal.of(request)
    async with portal.site.database.read() as db:
        try:
            pending = await tokens.peek(db, token, "verify", now=portal.now)
        except TokenSpent as spent:
            return _not_verified(request, spent)
    return _token_page(request, "auth/verify.html", {"token": token, "email": pending.email})


async def verify_now(request: Request, form: FormData) -> Response:
    """Verify the address, if the account still has it."""
    portal = Portal.of(request)
    try:
        async with portal.site.database.write() as db:
            used = await tokens.use(db, text(form, "token"), "verify", now=portal.now)
            account = await identity.by_id(db, used.account_id)
            _check_address(used.email, account)
            await identity.verify(db, account, now=portal.now)
            await auditing.record_own(db, request, "email.verified", account)
    except TokenSpent as spent:
        return _not_verified(request, spent)
    return guard.redirect("/dashboard?done=verified")


def _not_verified(request: Request, spent: TokenSpent) -> Response:
    """The page of a spent link, unless the address is verified: links are opened twice."""
    account: Account | None = getattr(request.state, "user", None)
    if account is not None and account.verified_at is not None:
        return guard.redirect("/dashboard?done=verified")
    return _spent(request, spent, "/dashboard/settings", "Go to Settings")


def _check_address(proved: str | None, account: Account) -> None:
    if proved != account.email:
        raise TokenSpent("This link is for an address that the account no longer has.")


async def send_verify(request: Request, _form: FormData) -> Response:
    """Send the signed-in account another verification link."""
    portal, account = Portal.of(request), guard.account(request)
    recipient = limits.person(account.email or account.id)
    async with portal.site.database.write() as db:
        held = bool((await throttles.take(db, limits.MAILS, recipient, now=portal.now)).wait)
        if not held:
            await signup.ask_to_verify(db, portal, account)
    done = "held" if held else "mailed" if portal.settings.smtp_url else "made"
    return guard.redirect(f"/dashboard/settings?done={done}")


async def _account_of(db: AsyncConnection, portal: Portal, token: str) -> Account:
    pending = await tokens.peek(db, token, *_PASSWORD, now=portal.now)
    return await identity.by_id(db, pending.account_id)


def _forgot(
    request: Request, email: str = "", *, problem: str = "", sent: bool = False, status: int = 0
) -> Response:
    portal = Portal.of(request)
    context = {
        "email": email[:254] or request.query_params.get("email", "")[:254],
        "problem": problem,
        "sent": sent,
        "mails": bool(portal.settings.smtp_url),
    }
    code = status or (400 if problem else 200)
    return guard.respond(request, "auth/forgot.html", context, status=code)


def _password_page(
    request: Request,
    token: str,
    account: Account,
    email: str = "",
    problems: dict[str, str] | None = None,
) -> Response:
    context = {
        "token": token,
        "account": account,
        "email": email[:254],
        "problems": FormValues(problems or {}),
        "action": request.url.path,
        "shortest": passwords.MIN_LENGTH,
    }
    return _token_page(request, "auth/password.html", context, 400 if problems else 200)


def _spent(request: Request, spent: TokenSpent, href: str, words: str) -> Response:
    context = {"message": str(spent), "href": href, "words": words}
    return guard.respond(request, "auth/spent.html", context, status=410)


def _token_page(
    request: Request, template: str, context: dict[str, object], status: int = 200
) -> Response:
    reply = guard.respond(request, template, context, status=status)
    reply.headers["referrer-policy"] = "no-referrer"  # the URL contains the token
    return reply
