"""`/playground`: a pane for each kind of model; the browser calls the API itself."""

from typing import Any

import msgspec
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from oxlo.catalogue import Model
from oxlo.errors import Forbidden, ModelNotFound
from oxlo.portal import guard, readiness
from oxlo.portal.playground import modes
from oxlo.portal.playground.controls import controls
from oxlo.portal.playground.modes import MODES, Mode, Offer
from oxlo.portal.portal import Portal
from oxlo.store import keys
from oxlo.store.errors import InvalidScope

PATH = "/playground"
_UNVERIFIED = "Confirm your e-mail address first: open the link that we sent."


def routes() -> list[BaseRoute]:
    """Routes of the playground."""
    return [guard.account_page(PATH, page), guard.account_form(f"{PATH}/key", key)]


async def page(request: Request) -> Response:
    """The pane of a mode, with a model selected."""
    portal, account = Portal.of(request), guard.account(request)
    served = readiness.read(portal.settings.replicas_file)
    offered = [modes.offers(portal.site.catalogue, served, mode) for mode in MODES]
    requested = _requested(portal, request)
    mode = _mode(request, requested, offered)
    offers = offered[MODES.index(mode)]
    chosen = _chosen(requested, offers)
    context = {
        "account": account,
        "modes": MODES,
        "mode": mode,
        "offers": offers,
        "offer": chosen,
        "missing": _missing(request, requested, chosen),
        "controls": controls(chosen.model, mode.pane) if chosen else None,
        "abilities": sorted(chosen.model.abilities) if chosen else [],
        "base_url": portal.settings.base_url,
        "unproved": _UNVERIFIED if portal.awaits_proof(account) else "",
    }
    return guard.respond(request, "playground/page.html", context)


async def key(request: Request, _form: FormData) -> Response:
    """Issue a hidden key for the page: bound to the session, valid for an hour."""
    portal, visit = Portal.of(request), guard.visit(request)
    if portal.awaits_proof(guard.account(request)):
        raise Forbidden(_UNVERIFIED)
    async with portal.site.database.write() as db:
        issued, secret = await keys.issue_hidden(
            db,
            visit.account.id,
            visit.session.id,
            session_ends=visit.session.expires_at,
            origins=_origins(request),
            signing=portal.signing,
            now=portal.now,
        )
    body: dict[str, Any] = {"key": secret, "expires_at": issued.expires_at}
    return Response(
        msgspec.json.encode(body),
        headers={"cache-control": "no-store"},
        media_type="application/json",
    )


def _requested(portal: Portal, request: Request) -> Model | None:
    try:
        return portal.site.catalogue.resolve(request.query_params.get("model", ""))
    except ModelNotFound:
        return None


def _mode(request: Request, requested: Model | None, offered: list[list[Offer]]) -> Mode:
    mode_id = request.query_params.get("mode", "")
    of_model = modes.mode_of(requested, mode_id) if requested else None
    return of_model or modes.by_id(mode_id) or modes.first(offered)


def _chosen(requested: Model | None, offers: list[Offer]) -> Offer | None:
    """The requested model, otherwise the first."""
    matching = [
        offer for offer in offers if requested is not None and offer.model.id == requested.id
    ]
    return next(iter([*matching, *offers]), None)


def _missing(request: Request, requested: Model | None, chosen: Offer | None) -> str:
    """The requested model, if it cannot be shown."""
    shown = requested is not None and chosen is not None and requested.id == chosen.model.id
    return "" if shown else request.query_params.get("model", "")


def _origins(request: Request) -> frozenset[str]:
    """The page's own origin: no other page may use its key."""
    try:
        return frozenset({keys.origin(request.headers.get("origin", ""))})
    except InvalidScope:
        return frozenset()
