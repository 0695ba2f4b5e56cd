"""Log-in with an account at another provider."""

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from oxlo.errors import BadRequest, Forbidden, NotFound
from oxlo.portal import auditing, guard
from oxlo.portal.desk import Desk, address
from oxlo.portal.entry import handshake, limits, login, oauth, signup
from oxlo.portal.entry.handshake import Handshake
from oxlo.portal.entry.oauth import Person
from oxlo.portal.entry.providers import Provider
from oxlo.portal.guard import local
from oxlo.store import identity, keys, tokens
from oxlo.store import sessions as stored
from oxlo.store.accounts import Account


async def begin(request: Request) -> Response:
    """Send somebody to a provider."""
    desk, provider, query = Desk.of(request), _provider(request), request.query_params
    begun = await oauth.start(provider, _callback_url(desk, provider))
    user = getattr(request.state, "user", None)
    kept = Handshake(
        provider=provider.id,
        state=begun.state,
        verifier=begun.verifier,
        target=local(query.get("returnUrl", "")),
        until=int(desk.now) + handshake.LIFE,
        link=user.id if user is not None and query.get("link") == "1" else "",
    )
    reply = RedirectResponse(begun.url, 303)
    sealed = handshake.sealed(kept, desk.signing)
    desk.cookies.set(reply, desk.cookies.handshake, sealed, handshake.LIFE)
    return reply


async def callback(request: Request) -> Response:
    """Somebody is back from a provider: log in, link, or make an account."""
    desk, provider, query = Desk.of(request), _provider(request), request.query_params
    cookie = request.cookies.get(desk.cookies.handshake, "")
    kept = handshake.opened(cookie, desk.signing, desk.now)
    if kept is None or kept.provider != provider.id or not kept.has(query.get("state", "")):
        raise BadRequest("This log-in was not started here, or too long ago. Start again.")
    if "code" not in query:
        return guard.back("/login")  # somebody has changed their mind
    url = _callback_url(desk, provider)
    person = await oauth.finish(provider, url, query["code"], kept.verifier)
    reply = await _go_on(request, kept, person)
    desk.cookies.delete(reply, desk.cookies.handshake)
    return reply


async def _go_on(request: Request, kept: Handshake, person: Person) -> Response:
    desk, user = Desk.of(request), getattr(request.state, "user", None)
    if kept.link:
        if user is None or user.id != kept.link:
            raise BadRequest("Log in again to link an account.")
        return await _link(request, user, kept, person)
    async with desk.site.database.write() as db:
        account = await _account(db, request, kept.provider, person)
        if account.disabled_at is not None:
            raise Forbidden("This account is closed. Ask the operator.")
    return await login.go_on(request, account, kept.target)


async def _link(request: Request, user: Account, kept: Handshake, person: Person) -> Response:
    desk = Desk.of(request)
    async with desk.site.database.write() as db:
        owner = await identity.by_provider(db, kept.provider, person.subject)
        if owner is None:
            await identity.link(db, user, kept.provider, person.subject, now=desk.now)
            await auditing.note_own(db, request, "identity.linked", user, kept.provider)
    done = "linked" if owner is None or owner.id == user.id else "linked-elsewhere"
    return guard.back(f"/dashboard/settings?done={done}")


async def _account(db: AsyncConnection, request: Request, provider: str, person: Person) -> Account:
    """The account of somebody who logged in elsewhere. Raises Forbidden."""
    desk = Desk.of(request)
    account = await identity.by_provider(db, provider, person.subject)
    if account is not None:
        return account
    if not person.email:
        raise Forbidden("The provider confirms no e-mail address of yours. Sign up with one.")
    known = await identity.by_email(db, person.email)
    account = await _taken_over(db, desk, known) if known else await _new(db, request, person)
    await identity.link(db, account, provider, person.subject, now=desk.now)
    await auditing.note_own(db, request, "identity.linked", account, provider)
    return account


async def _taken_over(db: AsyncConnection, desk: Desk, known: Account) -> Account:
    """An account of the address. Where nobody had proved the address, whoever made the account
    may be somebody else: what they know of it ends, before its owner moves in. An account without
    a password is the operator's word that it is for this address.
    """
    if known.verified_at is None and known.password_hash is not None:
        await identity.set_password(db, known, None)
        await identity.end_totp(db, known)
        await tokens.forget(db, known.id)
        await stored.end_all(db, known.id)
        for key in await keys.of_account(db, known.id):
            await keys.revoke(db, key.id, now=desk.now)
    if known.verified_at is None:
        await identity.verify(db, known, now=desk.now)
    return await identity.by_id(db, known.id)


async def _new(db: AsyncConnection, request: Request, person: Person) -> Account:
    desk, where = Desk.of(request), limits.network(address(request))
    if desk.settings.signup == "closed":
        raise Forbidden("Sign-up is closed here. Ask the operator for an account.")
    try:
        await limits.take(db, limits.SIGNUP, where, "sign-ups from your network", now=desk.now)
    except limits.Braked as braked:
        raise Forbidden(str(braked)) from None
    account = await signup.create(db, person.email, signup.first_plan(desk), now=desk.now)
    await identity.verify(db, account, now=desk.now)
    await auditing.note_own(db, request, "account.sign_up", account)
    return account


def _provider(request: Request) -> Provider:
    name = request.path_params["provider"]
    for provider in Desk.of(request).providers:
        if provider.id == name:
            return provider
    raise NotFound(f"There is nothing at {request.url.path}.")


def _callback_url(desk: Desk, provider: Provider) -> str:
    return f"{desk.settings.base_url}/login/with/{provider.id}/callback"
