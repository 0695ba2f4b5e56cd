"""The interface of a billing provider."""

from typing import NamedTuple, Protocol

from oxlo.errors import ApiError
from oxlo.plans import Plan, Plans
from oxlo.store.accounts import Account


class BillingFailed(ApiError):
    """The payment provider did not answer as it should. Nothing was changed; try again shortly."""

    status = 502
    code = "billing_failed"


class Step(NamedTuple):
    """The outcome of choosing something: a URL to redirect to, or a code for what was done."""

    go: str = ""
    done: str = ""


class Provider(Protocol):
    """Moves accounts to plans."""

    #: Name in settings, pages and logs.
    name: str

    @property
    def hosts(self) -> str:
        """Origins of its pages, as sources for a Content-Security-Policy; "" if it has none."""

    async def choose(self, account: Account, plan: Plan, plans: Plans, *, now: float) -> Step:
        """Move the account to a plan, or start doing so. Idempotent.

        Raises BillingFailed, or BadRequest if the plan cannot be had this way.
        """

    async def manage(self, account: Account) -> Step:
        """Open the page that manages cards, addresses and invoices.

        Raises BillingFailed, BadRequest.
        """


def free_plan(plans: Plans) -> Plan:
    """The plan of an account that pays nothing."""
    return next(iter(plans))
