"""`/dashboard/billing`: the plan, other plans, invoices."""

from typing import Any, NamedTuple

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from oxlo.billing.base import Step, free_plan
from oxlo.billing.remote import PAYING
from oxlo.errors import BadRequest
from oxlo.plans import Plan
from oxlo.portal import auditing, guard
from oxlo.portal.dashboard import overview
from oxlo.portal.desk import Desk
from oxlo.portal.forms import text
from oxlo.portal.plans import lines
from oxlo.portal.sessions import flash
from oxlo.store import payments
from oxlo.store.payments import Invoice, Subscription, Wish

PATH = "/dashboard/billing"
_INVOICES = 24
_DONE = {
    "kept": "Nothing changes: you stay on your plan.",
    "asked": "Your request was sent to the operator. You will see the decision here.",
    "changed": "You are on your new plan, from your next request on.",
    "resumed": "Your plan continues: the cancellation was withdrawn.",
    "ending": "Your plan is cancelled. It runs to the end of the paid period.",
    "paid": "Thank you. Your plan starts once the payment is confirmed, usually within seconds.",
}


class Standing(NamedTuple):
    """What the page is made from."""

    paid: Subscription | None
    wish: Wish | None
    invoices: list[Invoice]

    @property
    def live(self) -> Subscription | None:
        """What is being paid for."""
        return self.paid if self.paid and self.paid.status in PAYING else None


class Offer(NamedTuple):
    """A plan, and the button below it; none where `action` is empty."""

    plan: Plan
    lines: list[str]
    action: str
    note: str
    #: The plan that the button names: to withdraw a request is to choose one's own plan.
    sends: str


async def page(request: Request) -> Response:
    """The page; with `auto_checkout` straight to the checkout, where there is one."""
    query = request.query_params
    if query.get("auto_checkout") == "true":
        step = await _straight(request, query.get("plan", ""))
        if step.go:
            return RedirectResponse(step.go, 303)
    if words := _DONE.get(query.get("done", "")):
        flash(request, "ok", words)
    return await _page(request)


async def choose(request: Request, form: FormData) -> Response:
    """The button below a plan."""
    desk, account = Desk.of(request), guard.account(request)
    plan = _plan(desk, text(form, "plan"))
    try:
        step = await desk.billing.choose(account, plan, desk.site.plans, now=desk.now)
    except BadRequest as problem:
        return await _page(request, problem.message)
    await _note(request, step, plan)
    return _onwards(step)


async def manage(request: Request, _form: FormData) -> Response:
    """To the provider's own pages."""
    try:
        return _onwards(await Desk.of(request).billing.manage(guard.account(request)))
    except BadRequest as problem:
        return await _page(request, problem.message)


def _plan(desk: Desk, named: str) -> Plan:
    try:
        return desk.site.plans[named]
    except KeyError:
        raise BadRequest("There is no such plan. Choose one from the page.", param="plan") from None


async def _straight(request: Request, named: str) -> Step:
    """A link may lead to a checkout, which only offers; it never changes what is paid."""
    desk, account = Desk.of(request), guard.account(request)
    standing = await _standing(desk, account.id)
    if desk.billing.name == "manual" or standing.live:
        return Step()
    try:
        plan = _plan(desk, named)
        if plan.id == free_plan(desk.site.plans).id:
            return Step()
        return await desk.billing.choose(account, plan, desk.site.plans, now=desk.now)
    except BadRequest:
        return Step()


def _onwards(step: Step) -> Response:
    return guard.back(step.go or f"{PATH}?done={step.done}")


async def _note(request: Request, step: Step, plan: Plan) -> None:
    detail = f"{plan.id}: {step.done or 'to the checkout'}"
    async with Desk.of(request).site.database.write() as db:
        await auditing.note_own(db, request, "plan.chosen", guard.account(request), detail)


async def _standing(desk: Desk, account_id: str) -> Standing:
    async with desk.site.database.read() as db:
        return Standing(
            await payments.of_account(db, account_id),
            await payments.wish_of(db, account_id),
            await payments.invoices_of(db, account_id, limit=_INVOICES),
        )


async def _page(request: Request, problem: str = "") -> Response:
    desk, account = Desk.of(request), guard.account(request)
    standing = await _standing(desk, account.id)
    plan = overview.plan_of(desk, account)
    context: dict[str, Any] = {
        "account": account,
        "plan": plan,
        "trial": overview.trial(desk, account, plan),
        "standing": standing,
        "offers": [_offer(desk, other, plan, standing) for other in desk.site.plans],
        "chosen_plan": request.query_params.get("plan", ""),
        "free_plan": free_plan(desk.site.plans),
        "provider": desk.billing.name,
        "wished": next((p for p in desk.site.plans if _is_wished(standing, p)), None),
        "problem": problem,
    }
    status = 400 if problem else 200
    reply = guard.respond(request, "dashboard/billing.html", context, status=status)
    return guard.may_lead_to_checkout(request, reply)


def _is_wished(standing: Standing, plan: Plan) -> bool:
    return standing.wish is not None and standing.wish.plan == plan.id


def _offer(desk: Desk, other: Plan, mine: Plan, standing: Standing) -> Offer:
    shown = lines(other)
    if desk.billing.name == "manual":
        sends = mine.id if _is_wished(standing, other) else other.id
        return Offer(other, shown, _manual(other, mine, standing), "", sends)
    return Offer(other, shown, *_paid(desk, other, mine, standing.live), other.id)


def _manual(other: Plan, mine: Plan, standing: Standing) -> str:
    if _is_wished(standing, other):
        return "Withdraw request"
    return "" if other.id == mine.id else f"Request {other.name}"


def _paid(desk: Desk, other: Plan, mine: Plan, live: Subscription | None) -> tuple[str, str]:
    free = other.id == free_plan(desk.site.plans).id
    ending = live is not None and live.ends_at is not None
    if other.id == mine.id:
        return (f"Keep {other.name}" if ending and not free else ""), ""
    if free:
        return ("", "") if live is None or ending else ("Cancel my plan", _RUNS_ON)
    if not other.price_usd or other.id not in desk.settings.stripe_price_ids:
        return "", "Ask the operator for this plan."
    return (f"Change to {other.name}", _AT_ONCE) if live else (f"Buy {other.name}", "")


_RUNS_ON = "What you have paid for runs to its end; then you move to this plan."
_AT_ONCE = "Takes effect at once. The difference for the rest of the period is settled now."
