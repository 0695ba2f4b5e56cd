"""Promo codes, for operators."""

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from oxlo.ledger.windows import DAY
from oxlo.portal import auditing, guard
from oxlo.portal.forms import FormValues, text
from oxlo.portal.portal import Portal
from oxlo.portal.sessions import flash
from oxlo.store import promos
from oxlo.store.errors import PromoRefused
from oxlo.store.promos import Promo


async def page(request: Request) -> Response:
    """Promo codes, and the form for a new one."""
    if request.query_params.get("done") == "made":
        flash(request, "ok", "The code can be used from now on.")
    return await _page(request)


async def create(request: Request, form: FormData) -> Response:
    """Create a promo code."""
    portal = Portal.of(request)
    try:
        promo = _promo(portal, form)
        async with portal.site.database.write() as db:
            created = await promos.create(db, promo)
            await auditing.record(db, request, "promo.created", created.code)
    except PromoRefused as refused:
        return await _page(request, str(refused), form)
    return guard.redirect("/operator/promos?done=made")


async def end(request: Request, form: FormData) -> Response:
    """End a promo code."""
    async with Portal.of(request).site.database.write() as db:
        await promos.end(db, text(form, "code"), now=Portal.of(request).now)
        await auditing.record(db, request, "promo.ended", promos.spelt(text(form, "code")))
    return guard.redirect("/operator/promos")


def _promo(portal: Portal, form: FormData) -> Promo:
    """Parse the form. Raises PromoRefused."""
    plan = text(form, "plan") or None
    if plan and plan not in {known.id for known in portal.site.plans}:
        raise PromoRefused("there is no such plan")
    days = _number(form, "holds")
    return Promo(
        code=text(form, "code"),
        trial_days=_number(form, "trial_days") or 0,
        plan=plan,
        plan_days=_number(form, "plan_days") or 0,
        most_uses=_number(form, "most_uses"),
        created_at=portal.now,
        expires_at=portal.now + days * DAY if days else None,
    )


def _number(form: FormData, name: str) -> int | None:
    value = text(form, name).strip()
    if not value:
        return None
    if not value.isascii() or not value.isdigit() or len(value) > 9:
        raise PromoRefused("numbers are whole, from 0 up")
    return int(value) or None


async def _page(request: Request, problem: str = "", form: FormData | None = None) -> Response:
    portal = Portal.of(request)
    async with portal.site.database.read() as db:
        known = await promos.everyone(db)
    context = {
        "promos": known,
        "plans": tuple(portal.site.plans),
        "problem": problem,
        "form": FormValues.of(form),
    }
    status = 400 if problem else 200
    return guard.respond(request, "operator/promos.html", context, status=status)
