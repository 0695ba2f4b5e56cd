"""Sign-up: an address, a password, and a trial that starts now."""

from dataclasses import dataclass

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from oxlo.errors import Forbidden
from oxlo.plans import Plan
from oxlo.portal import auditing, guard, letters, passwords, sessions
from oxlo.portal.desk import Desk, address
from oxlo.portal.entry import limits
from oxlo.portal.entry.limits import Braked
from oxlo.portal.forms import Filled, text
from oxlo.portal.guard import local
from oxlo.portal.passwords import WeakPassword
from oxlo.store import accounts, brakes, identity, promos, tokens
from oxlo.store.accounts import Account
from oxlo.store.errors import AccountExists, InvalidAccount, PromoRefused

_NAME_MAX = 60

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Asked:
    """The fields of the form."""

    email: str
    password: str
    promo: str


async def page(request: Request) -> Response:
    """The form; who is signed in has no use for it."""
    target = local(request.query_params.get("returnUrl", ""))
    if getattr(request.state, "user", None):
        return guard.back(target)
    asked = Asked(request.query_params.get("email", ""), "", request.query_params.get("promo", ""))
    return _page(request, asked, target)


async def submit(request: Request, form: FormData) -> Response:
    """Make the account, sign it in, and go where somebody wanted to go."""
    desk, target = Desk.of(request), local(text(form, "returnUrl"))
    asked = Asked(text(form, "email").strip(), text(form, "password"), text(form, "promo").strip())
    if desk.settings.signup == "closed":
        raise Forbidden("Sign-up is closed here. Ask the operator for an account.")
    try:
        account = await _made(request, asked)
    except Braked as braked:
        return _page(request, asked, target, {"form": str(braked)}, braked.retry_after)
    except WeakPassword as weak:
        return _page(request, asked, target, {"password": str(weak)})
    except InvalidAccount:
        return _page(request, asked, target, {"email": "Write it like name@example.com."})
    except AccountExists:
        return _page(request, asked, target, {"email": _TAKEN})
    except PromoRefused as refused:
        return _page(request, asked, target, {"promo": str(refused)})
    log.info("account.signed_up", account=account.id)
    return await sessions.sign_in(request, guard.back(target), account)


_TAKEN = "There is already an account with this address. Log in, or set a new password."


async def _made(request: Request, asked: Asked) -> Account:
    """The new account, in one transaction with all that belongs to it."""
    desk = Desk.of(request)
    email = accounts.checked_email(asked.email)
    passwords.check(asked.password, email)
    where, now = limits.network(address(request)), desk.now
    async with desk.site.database.write() as db:
        tried = await limits.take(db, limits.PROBE, where, "tries from your network", now=now)
    async with desk.site.database.read() as db:
        await _check_new(db, email, asked.promo, now=now)
    hashed = await desk.passwords.hash(asked.password)
    async with desk.site.database.write() as db:
        await limits.take(db, limits.SIGNUP, where, "sign-ups from your network", now=now)
        await brakes.undo(db, tried, now=now)  # nothing was learnt that one should not know
        account = await create(db, email, first_plan(desk), now=now)
        await identity.set_password(db, account, hashed)
        if asked.promo:
            await promos.redeem(db, account, asked.promo, now=now)
        await ask_to_verify(db, desk, account)
        await auditing.note_own(db, request, "account.sign_up", account, asked.promo.upper())
    return account


async def _check_new(db: AsyncConnection, email: str, promo: str, *, now: float) -> None:
    """Say what is wrong before a password is hashed for nothing."""
    if await identity.by_email(db, email) is not None:
        raise AccountExists
    if promo:
        await promos.find(db, promo, now=now)


def first_plan(desk: Desk) -> Plan:
    """The plan of a new account: the cheapest."""
    return next(iter(desk.site.plans))


async def create(db: AsyncConnection, email: str, plan: Plan, *, now: float) -> Account:
    """An account for an address; named by its local part, or nearly so where that is taken."""
    local_part = "".join(c for c in email.partition("@")[0] if c.isprintable())[:_NAME_MAX]
    name = await accounts.free_name(db, local_part or "account")
    return await accounts.create(db, name, plan, now=now, email=email)


async def ask_to_verify(db: AsyncConnection, desk: Desk, account: Account) -> None:
    """Send a link that proves the account's address."""
    if account.email is None:
        return
    token = await tokens.issue(db, account.id, "verify", now=desk.now, email=account.email)
    letter = letters.verify(desk.settings.base_url, token)
    await letters.post(db, account.email, letter, now=desk.now)


def _page(
    request: Request,
    asked: Asked,
    target: str,
    problems: dict[str, str] | None = None,
    retry_after: int | None = None,
) -> Response:
    desk = Desk.of(request)
    plan = first_plan(desk)
    context = {
        "email": asked.email[:254],
        "promo": asked.promo[:40],
        "target": target,
        "problems": Filled(problems or {}),
        "plan": plan,
        "closed": desk.settings.signup == "closed",
        "providers": desk.providers,
    }
    status = 200 if not problems else 429 if retry_after else 400
    reply = guard.respond(request, "entry/signup.html", context, status=status)
    if retry_after:
        reply.headers["retry-after"] = str(retry_after)
    return guard.may_lead_to_checkout(request, reply)
