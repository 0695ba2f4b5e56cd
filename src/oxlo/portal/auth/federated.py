"""Login with GitHub, Google or an OpenID Connect provider."""

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from oxlo.errors import BadRequest, Forbidden, NotFound
from oxlo.portal import auditing, guard
from oxlo.portal.auth import handshake, limits, login, oauth, signup
from oxlo.portal.auth.handshake import Handshake
from oxlo.portal.auth.oauth import Person
from oxlo.portal.auth.providers import Provider
from oxlo.portal.guard import local_path
from oxlo.portal.portal import Portal, address
from oxlo.store import identity, keys, tokens
from oxlo.store import sessions as stored
from oxlo.store.accounts import Account


async def begin(request: Request) -> Response:
    """Redirect to the provider."""
    portal, provider, query = Portal.of(request), _provider(request), request.query_params
    linking = query.get("link") == "1"
    if linking and guard.is_cross_site(request):  # the provider's session may be an attacker's
        raise Forbidden("Another site sent you here. Link accounts in your settings.")
    authorization = await oauth.start(provider, _callback_url(portal, provider))
    user = getattr(request.state, "user", None)
    pending = Handshake(
        provider=provider.id,
        state=authorization.state,
        verifier=authorization.verifier,
        target=local_path(query.get("returnUrl", "")),
        until=int(portal.now) + handshake.LIFE,
        link=user.id if user is not None and linking else "",
    )
    reply = RedirectResponse(authorization.url, 303)
    sealed = handshake.sealed(pending, portal.signing)
    portal.cookies.set(reply, portal.cookies.handshake, sealed, handshake.LIFE)
    return reply


async def callback(request: Request) -> Response:
    """Handle the provider's redirect: log in, link, or create an account."""
    portal, provider, query = Portal.of(request), _provider(request), request.query_params
    cookie = request.cookies.get(portal.cookies.handshake, "")
    pending = handshake.opened(cookie, portal.signing, portal.now)
    if (
        pending is None
        or pending.provider != provider.id
        or not pending.has(query.get("state", ""))
    ):
        raise BadRequest("This log-in was not started here, or too long ago. Start again.")
    if "code" not in query:
        return guard.redirect("/login")  # the login was cancelled at the provider
    url = _callback_url(portal, provider)
    person = await oauth.finish(provider, url, query["code"], pending.verifier)
    reply = await _finish(request, pending, person)
    portal.cookies.delete(reply, portal.cookies.handshake)
    return reply


async def _finish(request: Request, pending: Handshake, person: Person) -> Response:
    portal, user = Portal.of(request), getattr(request.state, "user", None)
    if pending.link:
        if user is None or user.id != pending.link:
            raise BadRequest("Log in again to link an account.")
        return await _link(request, user, pending, person)
    async with portal.site.database.write() as db:
        account = await _account(db, request, pending.provider, person)
        if account.disabled_at is not None:
            raise Forbidden("This account is closed. Ask the operator.")
    return await login.continue_login(request, account, pending.target)


async def _link(request: Request, user: Account, pending: Handshake, person: Person) -> Response:
    portal = Portal.of(request)
    async with portal.site.database.write() as db:
        owner = await identity.by_provider(db, pending.provider, person.subject)
        if owner is None:
            await identity.link(db, user, pending.provider, person.subject, now=portal.now)
            await auditing.record_own(db, request, "identity.linked", user, pending.provider)
    done = "linked" if owner is None or owner.id == user.id else "linked-elsewhere"
    return guard.redirect(f"/dashboard/settings?done={done}")


async def _account(db: AsyncConnection, request: Request, provider: str, person: Person) -> Account:
    """The account of a provider's identity, created if necessary. Raises Forbidden."""
    portal = Portal.of(request)
    account = await identity.by_provider(db, provider, person.subject)
    if account is not None:
        return account
    if not person.email:
        raise Forbidden("The provider confirms no e-mail address of yours. Sign up with one.")
    existing = await identity.by_email(db, person.email)
    account = (
        await _taken_over(db, portal, existing) if existing else await _new(db, request, person)
    )
    await identity.link(db, account, provider, person.subject, now=portal.now)
    await auditing.record_own(db, request, "identity.linked", account, provider)
    return account


async def _taken_over(db: AsyncConnection, portal: Portal, existing: Account) -> Account:
    """Hand over the account with this e-mail address to the address's proven owner.

    If the address was never verified, somebody else may have used the account: every way to log
    in to it, its sessions and its keys are revoked first. An account that nobody can log in to was
    created by the operator for this address.
    """
    linked = await identity.linked(db, existing.id)
    if existing.verified_at is None and (existing.password_hash is not None or linked):
        await identity.set_password(db, existing, None)
        await identity.unlink(db, existing.id, *linked)
        await identity.end_totp(db, existing)
        await tokens.forget(db, existing.id)
        await stored.end_all(db, existing.id)
        for key in await keys.of_account(db, existing.id):
            await keys.revoke(db, key.id, now=portal.now)
    if existing.verified_at is None:
        await identity.verify(db, existing, now=portal.now)
    return await identity.by_id(db, existing.id)


async def _new(db: AsyncConnection, request: Request, person: Person) -> Account:
    portal, network = Portal.of(request), limits.network(address(request))
    if portal.settings.signup == "closed":
        raise Forbidden("Sign-up is closed here. Ask the operator for an account.")
    try:
        await limits.take(db, limits.SIGNUP, network, "sign-ups from your network", now=portal.now)
    except limits.RateLimited as limited:
        raise Forbidden(str(limited)) from None
    account = await signup.create(db, person.email, signup.first_plan(portal), now=portal.now)
    await identity.verify(db, account, now=portal.now)
    await auditing.record_own(db, request, "account.sign_up", account)
    return account


def _provider(request: Request) -> Provider:
    name = request.path_params["provider"]
    for provider in Portal.of(request).providers:
        if provider.id == name:
            return provider
    raise NotFound(f"There is nothing at {request.url.path}.")


def _callback_url(portal: Portal, provider: Provider) -> str:
    return f"{portal.settings.base_url}/login/with/{provider.id}/callback"
