"""Plans, for operators: what holds, how many are on each, and edited while everything runs."""

import msgspec
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from oxlo.errors import BadRequest
from oxlo.plans import SHIPPED, edited, parse
from oxlo.portal import auditing, guard
from oxlo.portal.desk import Desk
from oxlo.portal.forms import text
from oxlo.portal.sessions import flash
from oxlo.store import search

_LONGEST = 100_000
#: Versions that the page offers.
_SHOWN = 20


class Refused(ValueError):
    """These plans cannot be put in force; the message says why."""


async def page(request: Request) -> Response:
    """The plans, and their text; `?version=3` puts an older one into the form."""
    desk, version = Desk.of(request), request.query_params.get("version", "")
    if done := request.query_params.get("done", ""):
        flash(request, "ok", f"Version {done[:9]} of the plans holds, from the next call on.")
    return await _page(request, _text(desk, version))


async def save(request: Request, form: FormData) -> Response:
    """Put edited plans in force."""
    desk, given = Desk.of(request), text(form, "plans", longest=_LONGEST).replace("\r\n", "\n")
    if desk.settings.plans:
        raise BadRequest("OXLO_PLANS names the file of plans: edit it there.")
    try:
        await _check(desk, given)
    except Refused as refused:
        return await _page(request, given, str(refused))
    version = edited.save(desk.settings.plans_dir, desk.settings.edited_plans, given)
    async with desk.site.database.write() as db:
        await auditing.note(db, request, "plans.edited", f"version {version}")
    return guard.back(f"/operator/plans?done={version}")


async def _check(desk: Desk, given: str) -> None:
    """Raises Refused: not plans, or without one that accounts are on."""
    try:
        ids = {plan.id for plan in parse(given, "plans")}
    except msgspec.ValidationError as error:
        raise Refused(str(error)) from None
    async with desk.site.database.read() as db:
        used = set(await search.by_plan(db)) | await search.plans_to_come(db)
    if gone := sorted(used - ids):
        raise Refused(f"accounts are on {', '.join(gone)}: change their plans first")


def _text(desk: Desk, version: str) -> str:
    if version.isascii() and version.isdigit() and len(version) < 9:
        try:
            return edited.read(desk.settings.plans_dir, int(version))
        except FileNotFoundError:
            raise BadRequest("There is no such version of the plans.") from None
    return (desk.settings.plans_file or SHIPPED).read_text()


async def _page(request: Request, shown: str, problem: str = "") -> Response:
    desk = Desk.of(request)
    async with desk.site.database.read() as db:
        numbers = await search.by_plan(db)
    context = {
        "plans": tuple(desk.site.plans),
        "numbers": numbers,
        "strays": sorted(set(numbers) - {plan.id for plan in desk.site.plans}),
        "file": desk.settings.plans,
        "text": shown,
        "problem": problem,
        "versions": edited.versions(desk.settings.plans_dir)[: -_SHOWN - 1 : -1],
    }
    status = 400 if problem else 200
    return guard.respond(request, "operator/plans.html", context, status=status)
