"""Keys: made here and shown once; narrowed, replaced with an overlap, revoked within a second."""

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
from oxlo.portal.dashboard import keyform, overview
from oxlo.portal.dashboard.periods import bounds
from oxlo.portal.desk import Desk
from oxlo.portal.entry import limits
from oxlo.portal.entry.limits import Braked
from oxlo.portal.forms import Filled, Problem
from oxlo.portal.highlighting import Panel
from oxlo.portal.sessions import flash
from oxlo.store import keys, usage
from oxlo.store.accounts import Account
from oxlo.store.keys import Key, Scope

#: An account has at most so many keys that work.
MOST = 100
#: Days whose requests are shown beside each key.
_USED_DAYS = 30
#: Seconds that a key which has ended stays on the page.
_SHOWN_AFTER = 30 * DAY
_DONE = {
    "revoked": "The key is revoked: calls with it get 401 from now on.",
    "renamed": "The key is renamed.",
}

log = structlog.get_logger()


class Made(NamedTuple):
    """A key that was just made: its secret is on this page and nowhere else."""

    key: Key
    secret: str
    replaced: Key | None = None


async def page(request: Request) -> Response:
    """All keys, and the form for another one."""
    if words := _DONE.get(request.query_params.get("done", "")):
        flash(request, "ok", words)
    return await _page(request)


async def create(request: Request, form: FormData) -> Response:
    """Make a key and show it."""
    desk, account = Desk.of(request), guard.account(request)
    try:
        _check_proved(desk, account)
        name, scope = keyform.name(form), keyform.scope(form, desk.site.catalogue)
        days = keyform.life(form)
        async with desk.site.database.write() as db:
            await _check_number(db, account, desk.now)
            await _check_pace(db, account, desk.now)
            ends = desk.now + days * DAY if days else None
            made = await _issued(db, request, name, ends, scope)
    except Problem as problem:
        return await _page(request, problem=problem, form=form)
    return await _page(request, made=made)


async def rotate(request: Request, form: FormData) -> Response:
    """Make a key in the place of another, which goes on for the overlap."""
    desk, account = Desk.of(request), guard.account(request)
    overlap = keyform.overlap(form)
    try:
        async with desk.site.database.write() as db:
            old = await _mine(db, request)
            await _check_pace(db, account, desk.now)
            made = await _issued(db, request, old.name, _end_like(old, desk.now), _scope_of(old))
            ended = await keys.expire(db, old, at=desk.now + overlap, now=desk.now)
            await _note(db, request, "key.rotated", old)
    except Problem as problem:
        return await _page(request, problem=problem)
    return await _page(request, made=made._replace(replaced=ended))


def _end_like(old: Key, now: float) -> float | None:
    """A key that takes another one's place lives as long as that one was to; None: for ever."""
    return None if old.expires_at is None else now + old.expires_at - old.created_at


def _scope_of(key: Key) -> Scope:
    return Scope(
        models=frozenset(key.models),
        endpoints=frozenset(key.endpoints),
        origins=frozenset(key.origins),
    )


async def revoke(request: Request, _form: FormData) -> Response:
    """End a key for good."""
    desk = Desk.of(request)
    async with desk.site.database.write() as db:
        key = await keys.revoke(db, (await _mine(db, request)).id, now=desk.now)
        await _note(db, request, "key.revoked", key)
    return guard.back("/dashboard/api-keys?done=revoked")


async def rename(request: Request, form: FormData) -> Response:
    """Give a key another name."""
    try:
        name = keyform.name(form)
    except Problem as problem:
        return await _page(request, problem=problem)
    async with Desk.of(request).site.database.write() as db:
        await keys.rename(db, await _mine(db, request), name)
    return guard.back("/dashboard/api-keys?done=renamed")


async def _mine(db: AsyncConnection, request: Request) -> Key:
    """The key that a form is about. Raises NotFound for those of others, too."""
    account = guard.account(request)
    for key in await keys.of_account(db, account.id):
        if key.id == request.path_params["key"] and not key.hidden:
            return key
    raise NotFound("This account has no such key.")


async def _issued(
    db: AsyncConnection, request: Request, name: str, ends: float | None, scope: Scope
) -> Made:
    desk, account = Desk.of(request), guard.account(request)
    key, secret = await keys.issue(
        db,
        account.id,
        name=name,
        signing=desk.signing,
        now=desk.now,
        expires_at=ends,
        scope=scope,
    )
    await _note(db, request, "key.created", key)
    log.info("key.created", account=account.id, key=key.id)
    return Made(key, secret)


async def _note(db: AsyncConnection, request: Request, action: str, key: Key) -> None:
    await auditing.note(db, request, action, key.id, f"{key.name} ({key.prefix}...)")


def _check_proved(desk: Desk, account: Account) -> None:
    if desk.checks_addresses and account.verified_at is None:
        raise Problem("form", "Confirm your e-mail address first: open the link that we sent.")


async def _check_number(db: AsyncConnection, account: Account, now: float) -> None:
    working = [key for key in await keys.of_account(db, account.id) if key.state(now) == "active"]
    if len(working) >= MOST:
        raise Problem("form", f"An account has at most {MOST} keys. Revoke one that is not used.")


async def _check_pace(db: AsyncConnection, account: Account, now: float) -> None:
    """Keys leave a row each, also when they are revoked at once."""
    try:
        await limits.take(db, limits.KEYS, account.id, "new keys", now=now)
    except Braked as braked:
        raise Problem("form", str(braked)) from None


def _is_shown(key: Key, now: float) -> bool:
    """Keys that work, and those that ended not long ago."""
    ended = key.revoked_at if key.revoked_at is not None else key.expires_at
    return not key.hidden and (ended is None or ended > now - _SHOWN_AFTER)


async def _page(
    request: Request,
    *,
    made: Made | None = None,
    problem: Problem | None = None,
    form: FormData | None = None,
) -> Response:
    desk, account = Desk.of(request), guard.account(request)
    await desk.live.drain()
    async with desk.site.database.read() as db:
        mine = _in_order(await keys.of_account(db, account.id), desk.now)
        used = await _used(db, account, desk.now)
    model = overview.ready_model(desk, overview.plan_of(desk, account))
    context = {
        "keys": mine,
        "used": used,
        "used_days": _USED_DAYS,
        "made": made,
        "panels": _panels(desk, made, model) if made and model else (),
        "problem": problem,
        "form": Filled.of(form),
        "endpoints": keyform.ENDPOINTS,
        "models": sorted(model.id for model in desk.site.catalogue),
        "overlaps": keyform.OVERLAPS,
        "lives": keyform.LIVES,
    }
    status = 400 if problem else 200
    return guard.respond(request, "dashboard/keys.html", context, status=status)


def _in_order(mine: list[Key], now: float) -> list[Key]:
    """Those that work first, then the newest; those that ended long ago are not shown."""
    order = {"active": 0, "expired": 1, "revoked": 2}
    shown = [key for key in mine if _is_shown(key, now)]
    return sorted(shown, key=lambda key: (order[key.state(now)], -key.created_at))


async def _used(db: AsyncConnection, account: Account, now: float) -> dict[str, int]:
    """Requests of the last days by key, today among them."""
    groups = await usage.added_up(db, account.id, *bounds(_USED_DAYS, now), ("key",))
    return {group.key[0]: group.sums.requests for group in groups}


def _panels(desk: Desk, made: Made, model: str) -> list[Panel]:
    """The programs with the new key in them; not by way of the cache, which keeps what it sees."""
    base = f"{desk.settings.base_url}/v1"
    blank = highlighting.panels("chat", desk.settings.base_url, model)
    return [
        panel._replace(
            html=highlighting.colour.__wrapped__(
                snippets.render("chat", language, base, made.secret, model).rstrip("\n"),
                {"python": "python", "node": "javascript", "curl": "bash"}[language],
            )
        )
        for language, panel in zip(snippets.LANGUAGES, blank, strict=True)
    ]
