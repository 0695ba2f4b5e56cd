"""The console's other pages: the machine, promo codes, the audit log, the outbox."""

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from oxlo.fleet import registry
from oxlo.fleet.registry import Replica
from oxlo.ledger.windows import DAY
from oxlo.portal import auditing, guard
from oxlo.portal.desk import Desk
from oxlo.portal.forms import Filled, text
from oxlo.portal.live import Gateways
from oxlo.portal.sessions import flash
from oxlo.store import audit, mails, promos, search
from oxlo.store.errors import PromoRefused
from oxlo.store.promos import Promo

_ON_A_PAGE = 100
_STATES = {"ready": "ok", "starting": "warn", "warming": "warn", "draining": "warn"}


async def models(request: Request) -> Response:
    """Models and replicas with load, queue and health; asked for by htmx, the table alone."""
    desk = Desk.of(request)
    gateways = await desk.live.gateways()
    replicas = registry.read(desk.settings.replicas_file).replicas
    context = {
        "gateways": gateways,
        "rows": [_replica(replica, gateways) for replica in replicas],
        "states": _STATES,
    }
    part = request.headers.get("hx-target") == "fleet"
    return guard.respond(request, f"operator/{'fleet' if part else 'models'}.html", context)


def _replica(replica: Replica, gateways: Gateways) -> dict[str, object]:
    load = next((load for load in gateways.loads if load.replica == replica.id), None)
    return {
        "replica": replica,
        "in_use": load.in_use if load else 0,
        "slots": load.slots if load else replica.slots,
        "queue": gateways.queues.get(replica.model, 0),
    }


async def codes(request: Request) -> Response:
    """Promo codes, and the form for another one."""
    if request.query_params.get("done") == "made":
        flash(request, "ok", "The code can be used from now on.")
    return await _codes(request)


async def make_code(request: Request, form: FormData) -> Response:
    """Add a promo code."""
    desk = Desk.of(request)
    try:
        promo = _promo(desk, form)
        async with desk.site.database.write() as db:
            made = await promos.create(db, promo)
            await auditing.note(db, request, "promo.created", made.code)
    except PromoRefused as refused:
        return await _codes(request, str(refused), form)
    return guard.back("/operator/promos?done=made")


async def end_code(request: Request, form: FormData) -> Response:
    """End a promo code."""
    async with Desk.of(request).site.database.write() as db:
        await promos.end(db, text(form, "code"), now=Desk.of(request).now)
        await auditing.note(db, request, "promo.ended", promos.spelt(text(form, "code")))
    return guard.back("/operator/promos")


async def log(request: Request) -> Response:
    """Every privileged action, newest first."""
    query = request.query_params
    action, about, before = query.get("action", ""), query.get("about", ""), query.get("before")
    async with Desk.of(request).site.database.read() as db:
        entries = await audit.latest(
            db,
            about=about[:100],
            action=action[:40],
            before=_moment(before),
            limit=_ON_A_PAGE + 1,
        )
        shown = entries[:_ON_A_PAGE]
        names = await search.names(db, {e.actor for e in shown} | {e.target for e in shown})
    context = {
        "entries": shown,
        "names": names,
        "action": action,
        "about": about,
        "older": shown[-1].at if len(entries) > _ON_A_PAGE else None,
    }
    return guard.respond(request, "operator/audit.html", context)


async def outbox(request: Request) -> Response:
    """Mails: those that wait, and where there is no mail server, what they say."""
    desk = Desk.of(request)
    async with desk.site.database.read() as db:
        latest = await mails.latest(db)
    context = {"mails": latest, "sends": bool(desk.settings.smtp_url)}
    return guard.respond(request, "operator/outbox.html", context)


def _promo(desk: Desk, form: FormData) -> Promo:
    """The form as a code. Raises PromoRefused."""
    plan = text(form, "plan") or None
    if plan and plan not in {known.id for known in desk.site.plans}:
        raise PromoRefused("there is no such plan")
    days = _number(form, "holds")
    return Promo(
        code=text(form, "code"),
        trial_days=_number(form, "trial_days") or 0,
        plan=plan,
        plan_days=_number(form, "plan_days") or 0,
        most_uses=_number(form, "most_uses"),
        created_at=desk.now,
        expires_at=desk.now + days * DAY if days else None,
    )


def _number(form: FormData, name: str) -> int | None:
    given = text(form, name).strip()
    if not given:
        return None
    if not given.isascii() or not given.isdigit() or len(given) > 9:
        raise PromoRefused("numbers are whole, from 0 up")
    return int(given) or None


def _moment(given: str | None) -> float | None:
    try:
        return float(given) if given else None
    except ValueError:
        return None


async def _codes(request: Request, problem: str = "", form: FormData | None = None) -> Response:
    desk = Desk.of(request)
    async with desk.site.database.read() as db:
        known = await promos.everyone(db)
    context = {
        "promos": known,
        "plans": tuple(desk.site.plans),
        "problem": problem,
        "form": Filled.of(form),
    }
    status = 400 if problem else 200
    return guard.respond(request, "operator/promos.html", context, status=status)
