"""The dashboard's first page: remaining limits, first steps, recent requests."""

from datetime import UTC, datetime

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from oxlo.ledger.windows import DAY, day_of
from oxlo.plans import Plan
from oxlo.portal import charts, guard, highlighting, readiness
from oxlo.portal.charts import Bar
from oxlo.portal.dashboard import limits
from oxlo.portal.dashboard.limits import Limit
from oxlo.portal.portal import Portal
from oxlo.portal.sessions import flash
from oxlo.store import history, keys, recovery, standing, usage
from oxlo.store.accounts import Account
from oxlo.store.calls import Call
from oxlo.store.usage import Group

#: Days in the chart, including today.
_DAYS = 14
_LATEST = 5
_DONE = {
    "verified": "Your e-mail address is confirmed.",
    "promo": "The promo code is used.",
}
_LEFT = "You used a recovery code, and have {} more. Settings makes new ones."


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """Data of the page."""

    limits: tuple[Limit, ...]
    keys: int
    latest: tuple[Call, ...]
    days: tuple[Group, ...]


async def page(request: Request) -> Response:
    """The page."""
    portal, account = Portal.of(request), guard.account(request)
    plan = plan_of(portal, account)
    facts = await _facts(portal, account, plan)
    await _tell(request, portal, account)
    model = ready_model(portal, plan)
    context = {
        "account": account,
        "plan": plan,
        "trial": trial(portal, account, plan),
        "facts": facts,
        "chart": _chart(facts.days, portal.now),
        "rows": [
            [label, charts.format_count(value)] for label, value, _ in _bars(facts.days, portal.now)
        ],
        "model": model,
        "panels": highlighting.panels("chat", portal.settings.base_url, model) if model else (),
        "reason": portal.live.reason,
        "unverified": portal.awaits_proof(account),
    }
    return guard.respond(request, "dashboard/overview.html", context)


async def _tell(request: Request, portal: Portal, account: Account) -> None:
    """Say what the form before this page has done."""
    done = request.query_params.get("done", "")
    if text := _DONE.get(done):
        flash(request, "ok", text)
    elif done == "recovered" and account.totp_at is not None:
        async with portal.site.database.read() as db:
            left = await recovery.left(db, account.id)
        flash(request, "ok" if left else "warn", _LEFT.format(left or "no"))


async def live(request: Request) -> Response:
    """The limits alone, polled by htmx."""
    portal, account = Portal.of(request), guard.account(request)
    plan = plan_of(portal, account)
    await portal.live.drain()
    async with portal.site.database.read() as db:
        used = await standing.used(db, account.id, now=portal.now)
    context = {"limits": current_limits(plan, used, portal.now)}
    return guard.respond(request, "dashboard/limits.html", context)


def plan_of(portal: Portal, account: Account) -> Plan:
    """The account's plan; the cheapest plan if the operator has removed the account's."""
    try:
        return portal.site.plans[account.plan]
    except KeyError:
        return next(iter(portal.site.plans))


def trial(portal: Portal, account: Account, plan: Plan) -> float | None:
    """When the account's trial ends, if the trial includes models that the plan does not."""
    until = account.trial_until or 0.0
    if until <= portal.now or all(plan.opens(model.tier) for model in portal.site.catalogue):
        return None
    return until


def current_limits(plan: Plan, used: standing.Used, now: float) -> tuple[Limit, ...]:
    """The day, minute and concurrency limits."""
    return (
        limits.day(plan, used, now),
        limits.minute(plan, used, now),
        limits.concurrency(plan, used),
    )


def ready_model(portal: Portal, plan: Plan) -> str:
    """A chat model for examples: preferably ready, and included in the plan.

    A model outside the plan would stop working when the trial ends.
    """
    served = readiness.read(portal.settings.replicas_file)
    here = set(served.models)
    chats = [m for m in portal.site.catalogue if m.id in here and "chat" in m.abilities]
    chats.sort(key=lambda m: (served.state(m.id) != "ready", not plan.opens(m.tier)))
    return chats[0].id if chats else ""


async def _facts(portal: Portal, account: Account, plan: Plan) -> Facts:
    await portal.live.drain()
    now = portal.now
    tomorrow = (day_of(now) + 1) * DAY
    async with portal.site.database.read() as db:
        used = await standing.used(db, account.id, now=now)
        account_keys = await keys.of_account(db, account.id)
        latest = await history.page(db, account.id, limit=_LATEST)
        begin = tomorrow - _DAYS * DAY
        days = await usage.added_up(db, account.id, begin, tomorrow, ("day",))
    return Facts(
        limits=current_limits(plan, used, now),
        keys=sum(key.state(now) == "active" and not key.hidden for key in account_keys),
        latest=latest.calls,
        days=tuple(days),
    )


def _bars(days: tuple[Group, ...], now: float) -> list[Bar]:
    known = {int(group.key[0]): group.sums.requests for group in days}
    first = (day_of(now) - _DAYS + 1) * DAY
    return [Bar(_label(at), known.get(at, 0)) for at in range(first, first + _DAYS * DAY, DAY)]


def _label(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%b %-d")


def _chart(days: tuple[Group, ...], now: float) -> object:
    return charts.bars(f"Requests a day, the last {_DAYS} days", _bars(days, now))
