"""Sign-up: an address, a password, and a trial that starts at once."""

from dataclasses import dataclass

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from oxlo.errors import Forbidden
from oxlo.plans import Plan
from oxlo.portal import auditing, guard, letters, passwords, sessions
from oxlo.portal.auth import limits
from oxlo.portal.auth.limits import RateLimited
from oxlo.portal.forms import FormValues, text
from oxlo.portal.guard import local_path
from oxlo.portal.passwords import WeakPassword
from oxlo.portal.portal import Portal, address
from oxlo.store import accounts, identity, promos, throttles, tokens
from oxlo.store.accounts import Account
from oxlo.store.errors import AccountExists, InvalidAccount, PromoRefused

_NAME_MAX = 60

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Fields:
    """Fields of the form."""

    email: str
    password: str
    promo: str


async def page(request: Request) -> Response:
    """The sign-up form; signed-in users are redirected."""
    target = local_path(request.query_params.get("returnUrl", ""))
    if getattr(request.state, "user", None):
        return guard.redirect(target)
    query = request.query_params
    fields = Fields(query.get("email", ""), "", query.get("promo", ""))
    return _page(request, fields, target)


async def submit(request: Request, form: FormData) -> Response:
    """Create the account, sign it in and redirect."""
    portal, target = Portal.of(request), local_path(text(form, "returnUrl"))
    fields = Fields(
        text(form, "email").strip(), text(form, "password"), text(form, "promo").strip()
    )
    if portal.settings.signup == "closed":
        raise Forbidden("Sign-up is closed here. Ask the operator for an account.")
    try:
        account = await _create(request, fields)
    except RateLimited as limited:
        return _page(request, fields, target, {"form": str(limited)}, limited.retry_after)
    except WeakPassword as error:
        return _page(request, fields, target, {"password": str(error)})
    except InvalidAccount:
        return _page(request, fields, target, {"email": "Write it like name@example.com."})
    except AccountExists:
        return _page(request, fields, target, {"email": _TAKEN})
    except PromoRefused as error:
        return _page(request, fields, target, {"promo": str(error)})
    log.info("account.signed_up", account=account.id)
    return await sessions.sign_in(request, guard.redirect(target), account)


_TAKEN = "There is already an account with this address. Log in, or set a new password."


async def _create(request: Request, fields: Fields) -> Account:
    """Create the account with all that belongs to it, in one transaction."""
    portal = Portal.of(request)
    email = accounts.checked_email(fields.email)
    passwords.check(fields.password, email)
    network, now = limits.network(address(request)), portal.now
    async with portal.site.database.write() as db:
        attempt = await limits.take(db, limits.PROBE, network, "tries from your network", now=now)
    async with portal.site.database.read() as db:
        await _check_new(db, email, fields.promo, now=now)
    hashed = await portal.passwords.hash(fields.password)
    async with portal.site.database.write() as db:
        await limits.take(db, limits.SIGNUP, network, "sign-ups from your network", now=now)
        await throttles.undo(db, attempt, now=now)  # the attempt revealed nothing
        account = await create(db, email, first_plan(portal), now=now)
        await identity.set_password(db, account, hashed)
        if fields.promo:
            await promos.redeem(db, account, fields.promo, now=now)
        await ask_to_verify(db, portal, account)
        await auditing.record_own(db, request, "account.sign_up", account, fields.promo.upper())
    return account


async def _check_new(db: AsyncConnection, email: str, promo: str, *, now: float) -> None:
    """Check address and promo code before the expensive password hash."""
    if await identity.by_email(db, email) is not None:
        raise AccountExists
    if promo:
        await promos.find(db, promo, now=now)


def first_plan(portal: Portal) -> Plan:
    """The plan of a new account: the cheapest."""
    return next(iter(portal.site.plans))


async def create(db: AsyncConnection, email: str, plan: Plan, *, now: float) -> Account:
    """Create an account named after the local part of its address, made unique if taken."""
    local_part = "".join(c for c in email.partition("@")[0] if c.isprintable())[:_NAME_MAX]
    name = await accounts.free_name(db, local_part or "account")
    return await accounts.create(db, name, plan, now=now, email=email)


async def ask_to_verify(db: AsyncConnection, portal: Portal, account: Account) -> None:
    """Send a link that verifies the account's address."""
    if account.email is None:
        return
    token = await tokens.issue(db, account.id, "verify", now=portal.now, email=account.email)
    letter = letters.verify(portal.settings.base_url, token)
    await letters.post(db, account.email, letter, now=portal.now)


def _page(
    request: Request,
    fields: Fields,
    target: str,
    problems: dict[str, str] | None = None,
    retry_after: int | None = None,
) -> Response:
    portal = Portal.of(request)
    plan = first_plan(portal)
    context = {
        "email": fields.email[:254],
        "promo": fields.promo[:40],
        "target": target,
        "problems": FormValues(problems or {}),
        "plan": plan,
        "closed": portal.settings.signup == "closed",
        "providers": portal.providers,
    }
    status = 200 if not problems else 429 if retry_after else 400
    reply = guard.respond(request, "auth/signup.html", context, status=status)
    if retry_after:
        reply.headers["retry-after"] = str(retry_after)
    return guard.may_lead_to_checkout(request, reply)
