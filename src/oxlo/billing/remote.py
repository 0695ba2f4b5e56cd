"""Stripe's subscriptions and invoices as they are read here; and what they mean for an account."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from oxlo.store.payments import Invoice, Subscription

#: A payment that is late is Stripe's to collect: until it gives up, the plan goes on.
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
    """A subscription, as Stripe's API answers."""

    id: str
    customer: str
    status: str
    items: _Items
    metadata: dict[str, str] = {}
    cancel_at: float | None = None
    cancel_at_period_end: bool = False
    #: Before API version 2025-03-31; since then it is the item's.
    current_period_end: float | None = None

    @property
    def item(self) -> _Item:
        """What is paid for: there is one item."""
        return self.items.data[0]

    @property
    def paid_until(self) -> float | None:
        """When the period ends, in unix seconds."""
        return self.item.current_period_end or self.current_period_end

    @property
    def ends_at(self) -> float | None:
        """When it ends, where it was cancelled."""
        return self.cancel_at or (self.paid_until if self.cancel_at_period_end else None)


class _Details(msgspec.Struct):
    metadata: dict[str, str] | None = None


class _Parent(msgspec.Struct):
    subscription_details: _Details | None = None


class RemoteInvoice(msgspec.Struct):
    """An invoice, as Stripe's API answers."""

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
        """The account that its subscription was made for; "" where it does not say."""
        details = self.parent and self.parent.subscription_details
        return ((details and details.metadata) or {}).get("account", "")


class Effect(NamedTuple):
    """What a subscription does to the account's plan; None leaves it as it is."""

    plan: str | None
    until: float | None = None


def subscription(found: Mapping[str, Any]) -> RemoteSubscription:
    """Raises msgspec.ValidationError where it is not what Stripe documents."""
    return msgspec.convert(found, RemoteSubscription)


def invoice(found: Mapping[str, Any]) -> RemoteInvoice:
    """Raises msgspec.ValidationError where it is not what Stripe documents."""
    return msgspec.convert(found, RemoteInvoice)


def kept(remote: RemoteSubscription, account: str, plan: str) -> Subscription:
    """The row of a subscription."""
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


def kept_invoice(remote: RemoteInvoice, account: str) -> Invoice:
    """The row of an invoice."""
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


def effect(now: Subscription, before: Subscription | None, resting: str, has: str) -> Effect:
    """What becomes of an account on the plan `has` when its subscription is as it is now.

    A subscription that was replaced by another one says nothing any more; one that was never paid
    has given nothing that could end.
    """
    if now.status in PAYING:
        return Effect(now.plan, now.ends_at)
    replaced = before and before.subscription != now.subscription and before.status in PAYING
    if replaced or now.status == "incomplete" or has != now.plan:
        return Effect(None)
    return Effect(resting)
