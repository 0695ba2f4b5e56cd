"""Plans, for operators: current plans, accounts on each, and an editor."""

import msgspec
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from oxlo.errors import BadRequest
from oxlo.plans import SHIPPED, edited, parse
from oxlo.portal import auditing, guard
from oxlo.portal.forms import text
from oxlo.portal.portal import Portal
from oxlo.portal.sessions import flash
from oxlo.store import search

_MAX_LENGTH = 100_000
#: Versions listed on the page.
_SHOWN = 20


class Refused(ValueError):
    """The plans cannot be put in force; the message says why."""


async def page(request: Request) -> Response:
    """The plans and their source; `?version=3` loads an older version into the editor."""
    portal, version = Portal.of(request), request.query_params.get("version", "")
    if done := request.query_params.get("done", ""):
        flash(request, "ok", f"Version {done[:9]} of the plans holds, from the next call on.")
    return await _page(request, _text(portal, version))


async def save(request: Request, form: FormData) -> Response:
    """Put edited plans in force."""
    portal = Portal.of(request)
    source = text(form, "plans", max_length=_MAX_LENGTH).replace("\r\n", "\n")
    if portal.settings.plans:
        raise BadRequest("OXLO_PLANS names the file of plans: edit it there.")
    try:
        await _check(portal, source)
    except Refused as refused:
        return await _page(request, source, str(refused))
    version = edited.save(portal.settings.plans_dir, portal.settings.edited_plans, source)
    async with portal.site.database.write() as db:
        await auditing.record(db, request, "plans.edited", f"version {version}")
    return guard.redirect(f"/operator/plans?done={version}")


async def _check(portal: Portal, source: str) -> None:
    """Raises Refused if the text is invalid or lacks a plan that accounts are on."""
    try:
        ids = {plan.id for plan in parse(source, "plans")}
    except msgspec.ValidationError as error:
        raise Refused(str(error)) from None
    async with portal.site.database.read() as db:
        used = set(await search.by_plan(db)) | await search.plans_to_come(db)
    if missing := sorted(used - ids):
        raise Refused(f"accounts are on {', '.join(missing)}: change their plans first")


def _text(portal: Portal, version: str) -> str:
    if version.isascii() and version.isdigit() and len(version) < 9:
        try:
            return edited.read(portal.settings.plans_dir, int(version))
        except FileNotFoundError:
            raise BadRequest("There is no such version of the plans.") from None
    return (portal.settings.plans_file or SHIPPED).read_text()


async def _page(request: Request, source: str, problem: str = "") -> Response:
    portal = Portal.of(request)
    async with portal.site.database.read() as db:
        account_counts = await search.by_plan(db)
    context = {
        "plans": tuple(portal.site.plans),
        "numbers": account_counts,
        "strays": sorted(set(account_counts) - {plan.id for plan in portal.site.plans}),
        "file": portal.settings.plans,
        "text": source,
        "problem": problem,
        "versions": edited.versions(portal.settings.plans_dir)[: -_SHOWN - 1 : -1],
    }
    status = 400 if problem else 200
    return guard.respond(request, "operator/plans.html", context, status=status)
