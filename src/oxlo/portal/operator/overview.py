"""The console's first page: open tasks, and the last 24 hours."""

from datetime import UTC, datetime
from typing import NamedTuple

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from oxlo.portal import charts, guard
from oxlo.portal.charts import Bar
from oxlo.portal.formats import plural
from oxlo.portal.operator import accounts, plan_requests
from oxlo.portal.portal import Portal
from oxlo.settings import Settings
from oxlo.store import mails, payments, search, traffic
from oxlo.store.status import ModelStatus

PATH = "/operator"
_HOUR = 3600
_HOURS = 24
#: Number of accounts listed.
_BUSIEST = 8


class Note(NamedTuple):
    """A fact: kind is ok, warn, bad or off; `href` links to where it can be changed."""

    kind: str
    text: str
    href: str = ""
    #: Text of the link.
    more: str = ""


async def page(request: Request) -> Response:
    """Open tasks, the last 24 hours, and the set-up checklist."""
    if "q" in request.query_params:  # the account search used to be here
        return RedirectResponse(f"{accounts.PATH}?{request.url.query}", 308)
    portal = Portal.of(request)
    await portal.live.drain()
    end = (portal.now // _HOUR + 1) * _HOUR
    begin = end - _HOURS * _HOUR
    async with portal.site.database.read() as db:
        requested, letters = await payments.plan_requests(db), await mails.latest(db)
        context = {
            "traffic": await traffic.whole(db, begin, end),
            "chart": _chart(await traffic.by_hour(db, begin, end), int(begin)),
            "busiest": await traffic.busiest(db, begin, end, limit=_BUSIEST),
            "total": await search.number(db),
        }
    status = await portal.site.board.read()
    stuck = sum(1 for mail in letters if mail.error and not mail.sent_at)
    account = guard.visit(request).account
    context["waiting"] = [*_models(status.models), *_people(len(requested), stuck)]
    context["setup"] = setup(
        portal.settings, billing=portal.billing.name, codes=bool(account.totp_at)
    )
    return guard.respond(request, "operator/overview.html", context)


async def moved(request: Request) -> Response:
    """Redirect from the page's former path."""
    return RedirectResponse(PATH, 308)


def _chart(hours: dict[int, int], begin: int) -> Markup:
    moments = range(begin, begin + _HOURS * _HOUR, _HOUR)
    bars = [Bar(f"{datetime.fromtimestamp(at, UTC):%H}:00", hours.get(at, 0)) for at in moments]
    return charts.bars("Requests by hour, the last 24 hours, UTC", bars)


def _models(models: tuple[ModelStatus, ...]) -> list[Note]:
    not_ready = [one.id for one in models if one.state != "ready"]
    if not models:
        return [Note("bad", "No model is served.", "/docs/models", "Which there are")]
    if not_ready:
        message = f"{plural(len(not_ready), 'model')} not ready: {', '.join(not_ready)}."
        return [Note("bad", message, "/operator/models", "Models and replicas")]
    return [Note("ok", f"{plural(len(models), 'model')} served, all of them ready.")]


def _people(requested: int, stuck: int) -> list[Note]:
    notes = []
    if requested:
        message = f"{plural(requested, 'account')} waiting for a plan."
        notes.append(Note("warn", message, plan_requests.PATH, "Decide"))
    if stuck:
        message = f"{plural(stuck, 'mail')} not delivered."
        notes.append(Note("bad", message, "/operator/outbox", "Outbox"))
    return notes


def setup(settings: Settings, *, billing: str, codes: bool) -> list[Note]:
    """The set-up checklist. `codes`: whether this operator uses one-time codes."""
    return [
        _address(settings),
        Note("ok", "Mails are sent.")
        if settings.smtp_url
        else Note(
            "warn",
            "Mail is not set up (OXLO_SMTP_URL): messages stay in the outbox.",
            "/docs/portal#mails",
            "How",
        ),
        Note("ok", "Your account asks for a one-time code.")
        if codes
        else Note(
            "warn",
            "Your password alone is enough to open this console.",
            "/dashboard/settings#totp",
            "Set up one-time codes",
        ),
        Note("off", "Anyone can sign up.", "/docs/portal#sign-up", "Close it")
        if settings.signup == "open"
        else Note("off", "Only operators create accounts.", "/docs/portal#sign-up", "Open it"),
        Note("off", "No payments are taken: you approve plans.", "/docs/billing", "Take payments")
        if billing == "manual"
        else Note("ok", "Plans are paid through Stripe.", "/docs/billing", "How"),
        Note("ok", "Security reports have an address.")
        if settings.security_contact
        else Note(
            "off",
            "No address for security reports is published.",
            "/docs/portal#security-contact",
            "Publish one",
        ),
        Note("off", "Backups are up to you: oxlo backup.", "/docs/operations#back-up", "How"),
    ]


def _address(settings: Settings) -> Note:
    base = settings.base_url
    if base.startswith("https://"):
        return Note("ok", f"Links and code examples use {base}.")
    message = f"Links and code examples use {base}, which is not encrypted (OXLO_PUBLIC_URL)."
    return Note("warn", message, "/docs/operations#tls", "TLS")
