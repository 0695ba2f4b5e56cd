"""What a way of paying has to do."""

from typing import NamedTuple, Protocol

from oxlo.errors import ApiError
from oxlo.plans import Plan, Plans
from oxlo.store.accounts import Account


class BillingFailed(ApiError):
    """The payment provider did not answer as it should. Nothing was changed; try again shortly."""

    status = 502
    code = "billing_failed"


class Step(NamedTuple):
    """What comes next for whoever chose something: an address to go to, or what was done."""

    go: str = ""
    done: str = ""


class Provider(Protocol):
    """A way to get onto a plan."""

    #: Its name in settings, pages and logs.
    name: str

    @property
    def hosts(self) -> str:
        """Where its pages are, as sources of a content security policy; "": nowhere."""

    async def choose(self, account: Account, plan: Plan, plans: Plans, *, now: float) -> Step:
        """The account wants this plan. Doing it twice is as doing it once.

        Raises BillingFailed, or BadRequest for a plan that cannot be had this way.
        """

    async def manage(self, account: Account) -> Step:
        """Where cards, addresses and invoices are managed. Raises BillingFailed, BadRequest."""


def resting(plans: Plans) -> Plan:
    """The plan of an account that pays nothing."""
    return next(iter(plans))
