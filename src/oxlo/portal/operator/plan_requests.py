"""Plan requests, for installations without a payment provider."""

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from oxlo.plans import Plan
from oxlo.portal import auditing, guard, letters
from oxlo.portal.forms import text
from oxlo.portal.portal import Portal
from oxlo.portal.sessions import flash
from oxlo.store import accounts, identity, payments, search
from oxlo.store.accounts import Account

PATH = "/operator/requests"
_DONE = {
    "approved": "The account is on the plan, from its next request on.",
    "declined": "The account stays on its plan.",
    "gone": "This is decided already, or the account asks for another plan now.",
}


async def page(request: Request) -> Response:
    """Open plan requests."""
    if message := _DONE.get(request.query_params.get("done", "")):
        flash(request, "ok", message)
    portal = Portal.of(request)
    async with portal.site.database.read() as db:
        waiting = await payments.plan_requests(db)
        names = await search.names(db, [each.account_id for each in waiting])
    context = {
        "requests": waiting,
        "names": names,
        "provider": portal.billing.name,
    }
    return guard.respond(request, "operator/plan_requests.html", context)


async def decide(request: Request, form: FormData) -> Response:
    """Approve or decline a request.

    The form names the plan, so that a newer request is not decided unseen.
    """
    portal, approved = Portal.of(request), text(form, "decision") == "approve"
    account_id, plan_id = request.path_params["id"], text(form, "plan")
    plan = next((plan for plan in portal.site.plans if plan.id == plan_id), None)
    async with portal.site.database.write() as db:
        if plan is None or not await payments.drop_plan_request(db, account_id, plan_id):
            return guard.redirect(f"{PATH}?done=gone")
        account = await identity.by_id(db, account_id)
        if approved:
            await accounts.set_plan(db, account, plan)
        await _notify(db, request, account, plan, approved=approved)
    return guard.redirect(f"{PATH}?done={'approved' if approved else 'declined'}")


async def _notify(
    db: AsyncConnection, request: Request, account: Account, plan: Plan, *, approved: bool
) -> None:
    """Write to the audit log and notify the account."""
    portal = Portal.of(request)
    action = "plan.approved" if approved else "plan.declined"
    await auditing.record(db, request, action, account.id, f"{account.plan} to {plan.id}")
    letter = letters.plan_decided(portal.settings.base_url, plan.name, approved=approved)
    await letters.notify(db, account, letter, now=portal.now)
