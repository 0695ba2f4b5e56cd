"""`/dashboard/billing`: the current plan, other plans, invoices."""

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
from oxlo.portal.forms import text
from oxlo.portal.plans import lines
from oxlo.portal.portal import Portal
from oxlo.portal.sessions import flash
from oxlo.store import payments
from oxlo.store.payments import Invoice, PlanRequest, Subscription

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


class BillingState(NamedTuple):
    """Data of the page."""

    paid: Subscription | None
    plan_request: PlanRequest | None
    invoices: list[Invoice]

    @property
    def live(self) -> Subscription | None:
        """The active paid subscription."""
        return self.paid if self.paid and self.paid.status in PAYING else None


class Offer(NamedTuple):
    """A plan, with a button unless `action` is empty."""

    plan: Plan
    lines: list[str]
    action: str
    note: str
    #: Plan id that the button submits; withdrawing a request submits the current plan.
    submits: str


async def page(request: Request) -> Response:
    """The page; with `auto_checkout`, redirect to the checkout if there is one."""
    query = request.query_params
    if query.get("auto_checkout") == "true":
        step = await _auto_checkout(request, query.get("plan", ""))
        if step.go:
            return RedirectResponse(step.go, 303)
    if message := _DONE.get(query.get("done", "")):
        flash(request, "ok", message)
    return await _page(request)


async def choose(request: Request, form: FormData) -> Response:
    """Handle the button of a plan."""
    portal, account = Portal.of(request), guard.account(request)
    plan = _plan(portal, text(form, "plan"))
    try:
        step = await portal.billing.choose(account, plan, portal.site.plans, now=portal.now)
    except BadRequest as problem:
        return await _page(request, problem.message)
    await _note(request, step, plan)
    return _follow(step)


async def manage(request: Request, _form: FormData) -> Response:
    """Redirect to the provider's customer portal."""
    try:
        return _follow(await Portal.of(request).billing.manage(guard.account(request)))
    except BadRequest as problem:
        return await _page(request, problem.message)


def _plan(portal: Portal, plan_id: str) -> Plan:
    try:
        return portal.site.plans[plan_id]
    except KeyError:
        raise BadRequest("There is no such plan. Choose one from the page.", param="plan") from None


async def _auto_checkout(request: Request, plan_id: str) -> Step:
    """Open a checkout from a link; a link must never change a plan that is already paid."""
    portal, account = Portal.of(request), guard.account(request)
    state = await _load(portal, account.id)
    if portal.billing.name == "manual" or state.live:
        return Step()
    try:
        plan = _plan(portal, plan_id)
        if plan.id == free_plan(portal.site.plans).id:
            return Step()
        return await portal.billing.choose(account, plan, portal.site.plans, now=portal.now)
    except BadRequest:
        return Step()


def _follow(step: Step) -> Response:
    return guard.redirect(step.go or f"{PATH}?done={step.done}")


async def _note(request: Request, step: Step, plan: Plan) -> None:
    detail = f"{plan.id}: {step.done or 'to the checkout'}"
    async with Portal.of(request).site.database.write() as db:
        await auditing.record_own(db, request, "plan.chosen", guard.account(request), detail)


async def _load(portal: Portal, account_id: str) -> BillingState:
    async with portal.site.database.read() as db:
        return BillingState(
            await payments.of_account(db, account_id),
            await payments.plan_request_of(db, account_id),
            await payments.invoices_of(db, account_id, limit=_INVOICES),
        )


async def _page(request: Request, problem: str = "") -> Response:
    portal, account = Portal.of(request), guard.account(request)
    state = await _load(portal, account.id)
    plan = overview.plan_of(portal, account)
    context: dict[str, Any] = {
        "account": account,
        "plan": plan,
        "trial": overview.trial(portal, account, plan),
        "standing": state,
        "offers": [_offer(portal, other, plan, state) for other in portal.site.plans],
        "chosen_plan": request.query_params.get("plan", ""),
        "free_plan": free_plan(portal.site.plans),
        "provider": portal.billing.name,
        "requested": next((p for p in portal.site.plans if _is_requested(state, p)), None),
        "problem": problem,
    }
    status = 400 if problem else 200
    reply = guard.respond(request, "dashboard/billing.html", context, status=status)
    return guard.may_lead_to_checkout(request, reply)


def _is_requested(state: BillingState, plan: Plan) -> bool:
    return state.plan_request is not None and state.plan_request.plan == plan.id


def _offer(portal: Portal, other: Plan, current: Plan, state: BillingState) -> Offer:
    shown = lines(other)
    if portal.billing.name == "manual":
        submits = current.id if _is_requested(state, other) else other.id
        return Offer(other, shown, _manual(other, current, state), "", submits)
    return Offer(other, shown, *_paid(portal, other, current, state.live), other.id)


def _manual(other: Plan, current: Plan, state: BillingState) -> str:
    if _is_requested(state, other):
        return "Withdraw request"
    return "" if other.id == current.id else f"Request {other.name}"


def _paid(portal: Portal, other: Plan, current: Plan, live: Subscription | None) -> tuple[str, str]:
    free = other.id == free_plan(portal.site.plans).id
    ending = live is not None and live.ends_at is not None
    if other.id == current.id:
        return (f"Keep {other.name}" if ending and not free else ""), ""
    if free:
        return ("", "") if live is None or ending else ("Cancel my plan", _RUNS_ON)
    if not other.price_usd or other.id not in portal.settings.stripe_price_ids:
        return "", "Ask the operator for this plan."
    return (f"Change to {other.name}", _AT_ONCE) if live else (f"Buy {other.name}", "")


_RUNS_ON = "What you have paid for runs to its end; then you move to this plan."
_AT_ONCE = "Takes effect at once. The difference for the rest of the period is settled now."
