"""API keys: created and shown once, restricted, rotated, revoked within a second."""

from typing import NamedTuple

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from oxlo import snippets
from oxlo.errors import NotFound
from oxlo.ledger.windows import DAY
from oxlo.portal import auditing, guard, highlighting
from oxlo.portal.auth import limits
from oxlo.portal.auth.limits import RateLimited
from oxlo.portal.dashboard import keyform, overview
from oxlo.portal.dashboard.periods import bounds
from oxlo.portal.forms import FormValues, Problem
from oxlo.portal.highlighting import Panel
from oxlo.portal.portal import Portal
from oxlo.portal.sessions import flash
from oxlo.store import keys, usage
from oxlo.store.accounts import Account
from oxlo.store.keys import Key, Scope

#: Maximum active keys of an account.
MAX_KEYS = 100
#: Days of usage shown beside each key.
_USED_DAYS = 30
#: Seconds for which an expired or revoked key stays listed.
_SHOWN_AFTER = 30 * DAY
_DONE = {
    "revoked": "The key is revoked: calls with it get 401 from now on.",
    "renamed": "The key is renamed.",
}

log = structlog.get_logger()


class NewKey(NamedTuple):
    """A new key with its secret, which is shown on this page only."""

    key: Key
    secret: str
    replaced: Key | None = None


async def page(request: Request) -> Response:
    """All keys, and the form for a new one."""
    if message := _DONE.get(request.query_params.get("done", "")):
        flash(request, "ok", message)
    return await _page(request)


async def create(request: Request, form: FormData) -> Response:
    """Create a key and show it."""
    portal, account = Portal.of(request), guard.account(request)
    try:
        _check_verified(portal, account)
        name, scope = keyform.name(form), keyform.scope(form, portal.site.catalogue)
        days = keyform.lifetime(form)
        async with portal.site.database.write() as db:
            await _check_count(db, account, portal.now)
            await _check_pace(db, account, portal.now)
            expires_at = portal.now + days * DAY if days else None
            new = await _issue(db, request, name, expires_at, scope)
    except Problem as problem:
        return await _page(request, problem=problem, form=form)
    return await _page(request, new=new)


async def rotate(request: Request, form: FormData) -> Response:
    """Replace a key with a new one; the old one keeps working for the overlap."""
    portal, account = Portal.of(request), guard.account(request)
    overlap = keyform.overlap(form)
    try:
        async with portal.site.database.write() as db:
            old = await _own_key(db, request)
            await _check_pace(db, account, portal.now)
            new = await _issue(
                db, request, old.name, _same_lifetime(old, portal.now), _scope_of(old)
            )
            ended = await keys.expire(db, old, at=portal.now + overlap, now=portal.now)
            await _note(db, request, "key.rotated", old)
    except Problem as problem:
        return await _page(request, problem=problem)
    return await _page(request, new=new._replace(replaced=ended))


def _same_lifetime(old: Key, now: float) -> float | None:
    """Expiry of a new key that gets the same lifetime as the old one; None: it never expires."""
    return None if old.expires_at is None else now + old.expires_at - old.created_at


def _scope_of(key: Key) -> Scope:
    return Scope(
        models=frozenset(key.models),
        endpoints=frozenset(key.endpoints),
        origins=frozenset(key.origins),
    )


async def revoke(request: Request, _form: FormData) -> Response:
    """Revoke a key."""
    portal = Portal.of(request)
    async with portal.site.database.write() as db:
        key = await keys.revoke(db, (await _own_key(db, request)).id, now=portal.now)
        await _note(db, request, "key.revoked", key)
    return guard.redirect("/dashboard/api-keys?done=revoked")


async def rename(request: Request, form: FormData) -> Response:
    """Rename a key."""
    try:
        name = keyform.name(form)
    except Problem as problem:
        return await _page(request, problem=problem)
    async with Portal.of(request).site.database.write() as db:
        await keys.rename(db, await _own_key(db, request), name)
    return guard.redirect("/dashboard/api-keys?done=renamed")


async def _own_key(db: AsyncConnection, request: Request) -> Key:
    """The account's key that a form names. Raises NotFound, also for keys of other accounts."""
    account = guard.account(request)
    for key in await keys.of_account(db, account.id):
        if key.id == request.path_params["key"] and not key.hidden:
            return key
    raise NotFound("This account has no such key.")


async def _issue(
    db: AsyncConnection, request: Request, name: str, expires_at: float | None, scope: Scope
) -> NewKey:
    portal, account = Portal.of(request), guard.account(request)
    key, secret = await keys.issue(
        db,
        account.id,
        name=name,
        signing=portal.signing,
        now=portal.now,
        expires_at=expires_at,
        scope=scope,
    )
    await _note(db, request, "key.created", key)
    log.info("key.created", account=account.id, key=key.id)
    return NewKey(key, secret)


async def _note(db: AsyncConnection, request: Request, action: str, key: Key) -> None:
    await auditing.record(db, request, action, key.id, f"{key.name} ({key.prefix}...)")


def _check_verified(portal: Portal, account: Account) -> None:
    if portal.awaits_proof(account):
        raise Problem("form", "Confirm your e-mail address first: open the link that we sent.")


async def _check_count(db: AsyncConnection, account: Account, now: float) -> None:
    active = [key for key in await keys.of_account(db, account.id) if key.state(now) == "active"]
    if len(active) >= MAX_KEYS:
        raise Problem(
            "form", f"An account has at most {MAX_KEYS} keys. Revoke one that is not used."
        )


async def _check_pace(db: AsyncConnection, account: Account, now: float) -> None:
    """Limit how fast keys are created: even revoked ones leave a row in the database."""
    try:
        await limits.take(db, limits.KEYS, account.id, "new keys", now=now)
    except RateLimited as limited:
        raise Problem("form", str(limited)) from None


def _is_shown(key: Key, now: float) -> bool:
    """Whether a key is active or ended recently."""
    ended = key.revoked_at if key.revoked_at is not None else key.expires_at
    return not key.hidden and (ended is None or ended > now - _SHOWN_AFTER)


async def _page(
    request: Request,
    *,
    new: NewKey | None = None,
    problem: Problem | None = None,
    form: FormData | None = None,
) -> Response:
    portal, account = Portal.of(request), guard.account(request)
    await portal.live.drain()
    async with portal.site.database.read() as db:
        listed = _sorted(await keys.of_account(db, account.id), portal.now)
        usage_by_key = await _usage_by_key(db, account, portal.now)
    model = overview.ready_model(portal, overview.plan_of(portal, account))
    context = {
        "keys": listed,
        "used": usage_by_key,
        "used_days": _USED_DAYS,
        "made": new,
        "panels": _panels(portal, new, model) if new and model and _allows(new.key, model) else (),
        "problem": problem,
        "unverified": portal.awaits_proof(account),
        "form": FormValues.of(form),
        "chosen": form.getlist("endpoints") if form else [],
        "endpoints": keyform.ENDPOINTS,
        "models": sorted(model.id for model in portal.site.catalogue),
        "overlaps": keyform.OVERLAPS,
        "lives": keyform.LIFETIMES,
    }
    status = 400 if problem else 200
    return guard.respond(request, "dashboard/keys.html", context, status=status)


def _sorted(listed: list[Key], now: float) -> list[Key]:
    """Active keys first, then by age; keys that ended long ago are left out."""
    order = {"active": 0, "expired": 1, "revoked": 2}
    shown = [key for key in listed if _is_shown(key, now)]
    return sorted(shown, key=lambda key: (order[key.state(now)], -key.created_at))


async def _usage_by_key(db: AsyncConnection, account: Account, now: float) -> dict[str, int]:
    """Requests of the last days by key, including today."""
    groups = await usage.added_up(db, account.id, *bounds(_USED_DAYS, now), ("key",))
    return {group.key[0]: group.sums.requests for group in groups}


def _allows(key: Key, model: str) -> bool:
    """Whether a chat with this model is within the key's restrictions."""
    return model in (key.models or (model,)) and "chat" in (key.endpoints or ("chat",))


def _panels(portal: Portal, new: NewKey, model: str) -> list[Panel]:
    """Example programs with the new key, not cached so that no secret stays in memory."""
    base = f"{portal.settings.base_url}/v1"
    panels = highlighting.panels("chat", portal.settings.base_url, model)
    return [
        panel._replace(
            html=highlighting.highlight_code.__wrapped__(
                snippets.render("chat", language, base, new.secret, model).rstrip("\n"),
                {"python": "python", "node": "javascript", "curl": "bash"}[language],
            )
        )
        for language, panel in zip(snippets.LANGUAGES, panels, strict=True)
    ]
