"""`/playground`: one pane for each kind of model; the calls are the browser's own."""

from typing import Any

import msgspec
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from oxlo.catalogue import Model
from oxlo.errors import Forbidden, ModelNotFound
from oxlo.portal import guard, readiness
from oxlo.portal.desk import Desk
from oxlo.portal.playground import modes
from oxlo.portal.playground.controls import controls
from oxlo.portal.playground.modes import MODES, Mode, Offer
from oxlo.store import keys
from oxlo.store.errors import InvalidScope

PATH = "/playground"
_UNPROVED = "Confirm your e-mail address first: open the link that we sent."


def routes() -> list[BaseRoute]:
    """The table."""
    return [guard.account_page(PATH, page), guard.account_form(f"{PATH}/key", key)]


async def page(request: Request) -> Response:
    """The pane of a mode, with one of its models chosen."""
    desk, account = Desk.of(request), guard.account(request)
    served = readiness.read(desk.settings.replicas_file)
    offered = [modes.offers(desk.site.catalogue, served, mode) for mode in MODES]
    asked = _asked(desk, request)
    mode = _mode(request, asked, offered)
    offers = offered[MODES.index(mode)]
    chosen = _chosen(asked, offers)
    context = {
        "account": account,
        "modes": MODES,
        "mode": mode,
        "offers": offers,
        "offer": chosen,
        "missing": _missing(request, asked, chosen),
        "controls": controls(chosen.model, mode.pane) if chosen else None,
        "abilities": sorted(chosen.model.abilities) if chosen else [],
        "base_url": desk.settings.base_url,
        "unproved": _UNPROVED if _is_unproved(desk, request) else "",
    }
    return guard.respond(request, "playground/page.html", context)


async def key(request: Request, _form: FormData) -> Response:
    """A key for the calls of the page: listed nowhere, of this session, for an hour."""
    desk, visit = Desk.of(request), guard.visit(request)
    if _is_unproved(desk, request):
        raise Forbidden(_UNPROVED)
    async with desk.site.database.write() as db:
        made, secret = await keys.issue_hidden(
            db,
            visit.account.id,
            visit.session.id,
            origins=_origins(request),
            signing=desk.signing,
            now=desk.now,
        )
    said: dict[str, Any] = {"key": secret, "expires_at": made.expires_at}
    return Response(
        msgspec.json.encode(said),
        headers={"cache-control": "no-store"},
        media_type="application/json",
    )


def _asked(desk: Desk, request: Request) -> Model | None:
    try:
        return desk.site.catalogue.resolve(request.query_params.get("model", ""))
    except ModelNotFound:
        return None


def _mode(request: Request, asked: Model | None, offered: list[list[Offer]]) -> Mode:
    wanted = request.query_params.get("mode", "")
    of_model = modes.mode_of(asked, wanted) if asked else None
    return of_model or modes.named(wanted) or modes.first(offered)


def _chosen(asked: Model | None, offers: list[Offer]) -> Offer | None:
    """The model that was asked for; else the first one."""
    wanted = [offer for offer in offers if asked is not None and offer.model.id == asked.id]
    return next(iter([*wanted, *offers]), None)


def _missing(request: Request, asked: Model | None, chosen: Offer | None) -> str:
    """What was asked for, where it is not what is shown."""
    shown = asked is not None and chosen is not None and asked.id == chosen.model.id
    return "" if shown else request.query_params.get("model", "")


def _is_unproved(desk: Desk, request: Request) -> bool:
    return desk.checks_addresses and guard.account(request).verified_at is None


def _origins(request: Request) -> frozenset[str]:
    """Where the page itself is: no other page may use its key."""
    try:
        return frozenset({keys.origin(request.headers.get("origin", ""))})
    except InvalidScope:
        return frozenset()
