"""Billing without a payment provider: accounts request a plan, the operator approves it."""

from oxlo.billing.base import Step
from oxlo.errors import BadRequest
from oxlo.plans import Plan, Plans
from oxlo.store import payments
from oxlo.store.accounts import Account
from oxlo.store.database import Database


class Manual:
    """Stores plan requests until an operator decides."""

    name = "manual"
    hosts = ""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def choose(self, account: Account, plan: Plan, plans: Plans, *, now: float) -> Step:
        """Request a plan, replacing an earlier request; choosing the current plan withdraws it."""
        async with self._database.write() as db:
            if plan.id == account.plan:
                await payments.drop_plan_request(db, account.id)
                return Step(done="kept")
            await payments.request_plan(db, account.id, plan.id, now=now)
        return Step(done="asked")

    async def manage(self, account: Account) -> Step:
        """Raise BadRequest: there is nothing to manage."""
        raise BadRequest("This installation takes no payments: the operator puts you on a plan.")
