"""Stripe's subscriptions and invoices, and their effect on an account's plan."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from oxlo.store.payments import Invoice, Subscription

#: Statuses that keep the plan. A late payment counts: Stripe retries it, then cancels.
PAYING = frozenset({"active", "trialing", "past_due"})


class _Price(msgspec.Struct):
    id: str


class _Item(msgspec.Struct):
    id: str
    price: _Price
    current_period_end: float | None = None


class _Items(msgspec.Struct):
    data: list[_Item]


class RemoteSubscription(msgspec.Struct):
    """A subscription from Stripe's API."""

    id: str
    customer: str
    status: str
    items: _Items
    metadata: dict[str, str] = {}
    cancel_at: float | None = None
    cancel_at_period_end: bool = False
    #: On the subscription before API version 2025-03-31, on the item since.
    current_period_end: float | None = None

    @property
    def item(self) -> _Item:
        """The subscription's only item."""
        return self.items.data[0]

    @property
    def paid_until(self) -> float | None:
        """End of the paid period, in unix seconds."""
        return self.item.current_period_end or self.current_period_end

    @property
    def ends_at(self) -> float | None:
        """When the subscription ends, if it was cancelled."""
        return self.cancel_at or (self.paid_until if self.cancel_at_period_end else None)


class _Details(msgspec.Struct):
    metadata: dict[str, str] | None = None


class _Parent(msgspec.Struct):
    subscription_details: _Details | None = None


class RemoteInvoice(msgspec.Struct):
    """An invoice from Stripe's API."""

    id: str
    customer: str
    created: float
    total: int
    currency: str
    status: str | None = None
    number: str | None = None
    hosted_invoice_url: str | None = None
    parent: _Parent | None = None

    @property
    def account(self) -> str:
        """Account that its subscription was created for; "" if the invoice does not name it."""
        details = self.parent and self.parent.subscription_details
        return ((details and details.metadata) or {}).get("account", "")


class Effect(NamedTuple):
    """A subscription's effect on the account's plan; `plan` None leaves it unchanged."""

    plan: str | None
    until: float | None = None


def subscription(data: Mapping[str, Any]) -> RemoteSubscription:
    """Convert Stripe's JSON. Raises msgspec.ValidationError if it is not as documented."""
    return msgspec.convert(data, RemoteSubscription)


def invoice(data: Mapping[str, Any]) -> RemoteInvoice:
    """Convert Stripe's JSON. Raises msgspec.ValidationError if it is not as documented."""
    return msgspec.convert(data, RemoteInvoice)


def subscription_row(remote: RemoteSubscription, account: str, plan: str) -> Subscription:
    """The database row of a subscription."""
    return Subscription(
        account_id=account,
        customer=remote.customer,
        subscription=remote.id,
        item=remote.item.id,
        plan=plan,
        status=remote.status,
        paid_until=remote.paid_until,
        ends_at=remote.ends_at,
    )


def invoice_row(remote: RemoteInvoice, account: str) -> Invoice:
    """The database row of an invoice."""
    return Invoice(
        id=remote.id,
        account_id=account,
        number=remote.number or "",
        created_at=remote.created,
        cents=remote.total,
        currency=remote.currency,
        status=remote.status or "",
        url=remote.hosted_invoice_url or "",
    )


def effect(
    current: Subscription, previous: Subscription | None, free_plan: str, account_plan: str
) -> Effect:
    """Decide the plan of an account that is on `account_plan`, given its subscription.

    A subscription that was replaced by another has no effect any more. One that was never paid has
    granted nothing that could end.
    """
    if current.status in PAYING:
        return Effect(current.plan, current.ends_at)
    replaced = (
        previous and previous.subscription != current.subscription and previous.status in PAYING
    )
    if replaced or current.status == "incomplete" or account_plan != current.plan:
        return Effect(None)
    return Effect(free_plan)
