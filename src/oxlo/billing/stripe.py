"""Stripe: checkout, prorated plan changes, the customer portal and webhooks.

An event only signals that something changed: the current state is then fetched from Stripe, so
neither the order of events nor duplicates matter.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from oxlo.billing import remote
from oxlo.billing.base import BillingFailed, Step, free_plan
from oxlo.errors import BadRequest
from oxlo.plans import Plan, Plans
from oxlo.settings import Settings
from oxlo.store import identity, payments
from oxlo.store.accounts import Account
from oxlo.store.database import Database
from oxlo.store.errors import AccountNotFound
from oxlo.store.payments import Subscription

if TYPE_CHECKING:
    import stripe

#: Seconds within which a repeated submission opens the same checkout.
_CHECKOUT_WINDOW = 60
_MAX_EVENT_BYTES = 1 << 20

log = structlog.get_logger()


class ForgedEvent(BadRequest):
    """The signature of this event is not Stripe's, or it is too old."""

    code = "webhook_signature"


def _library() -> Any:
    try:
        import stripe
    except ImportError:
        raise BillingFailed("Install the extra oxlo[stripe] to take payments.") from None
    return stripe


class Stripe:
    """Plans are paid through Stripe."""

    name = "stripe"

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        #: Price ids by plan, and plans by price id.
        self._prices = settings.stripe_price_ids
        self._plans = {price: plan for plan, price in self._prices.items()}
        self._lock = asyncio.Lock()

    @property
    def hosts(self) -> str:
        """Origins that pages redirect to; the CSP of a page with a form has to allow them."""
        portal_hosts = "https://checkout.stripe.com https://billing.stripe.com"
        return f"{portal_hosts} {self._settings.stripe_api}".strip()

    async def choose(self, account: Account, plan: Plan, plans: Plans, *, now: float) -> Step:
        """Open a checkout for a first plan; change a paid plan at once, prorated."""
        async with self._database.read() as db:
            subscription = await payments.of_account(db, account.id)
        live = subscription if subscription and subscription.status in remote.PAYING else None
        if live is None and plan.id == account.plan:
            return Step(done="kept")
        if plan.id == free_plan(plans).id:
            return await self._cancel(account, live, plans)
        if plan.id not in self._prices:
            raise BadRequest(f"{plan.name} is not sold here. Ask the operator for it.")
        if live is None:
            return Step(go=await self._checkout(account, plan, subscription, now))
        return await self._change(account, live, plan, plans)

    async def manage(self, account: Account) -> Step:
        """Open Stripe's customer portal: cards, addresses, invoices, cancellation."""
        async with self._database.read() as db:
            subscription = await payments.of_account(db, account.id)
        if subscription is None:
            raise BadRequest("There is nothing to manage yet: you have not paid for a plan.")
        page = {"customer": subscription.customer, "return_url": self._page}
        session = await self._request(lambda v1: v1.billing_portal.sessions.create(page))
        return Step(go=str(session["url"]))

    async def receive(self, payload: bytes, signature: str, plans: Plans, *, now: float) -> None:
        """Process a webhook event; a duplicate changes nothing.

        Raises ForgedEvent, or BillingFailed, after which Stripe sends the event again.
        """
        event = self._verified(payload, signature)
        # Otherwise an older state of Stripe's could overwrite a newer one.
        async with self._lock:
            async with self._database.read() as db:
                if await payments.is_known(db, event["id"]):
                    return
            write = await self._update_for(event, plans)
            async with self._database.write() as db:
                if await payments.note_event(db, event["id"], event["type"], now=now):
                    await write(db)
        log.info("billing.event", event_id=event["id"], type=event["type"])

    def _verified(self, payload: bytes, signature: str) -> dict[str, Any]:
        stripe, secret = _library(), self._settings.stripe_webhook_secret
        if not secret or len(payload) > _MAX_EVENT_BYTES:
            raise ForgedEvent
        try:
            event = stripe.Webhook.construct_event(payload, signature, secret)
            return dict(event.to_dict())
        except (ValueError, stripe.SignatureVerificationError):
            raise ForgedEvent from None

    async def _update_for(self, event: Mapping[str, Any], plans: Plans) -> "_Write":
        """Fetch an event's object from Stripe, before the database is locked for writing."""
        kind, data = str(event["type"]), event["data"]["object"]
        if kind.startswith("customer.subscription."):
            return await self._subscription_update(data["id"], plans)
        if kind == "checkout.session.completed" and data.get("subscription"):
            return await self._subscription_update(data["subscription"], plans)
        if kind.startswith("invoice.") and data.get("id"):
            return await self._invoice_update(data["id"])
        return _NoUpdate()

    async def _subscription_update(self, subscription: str, plans: Plans) -> "_Write":
        data = await self._request(lambda v1: v1.subscriptions.retrieve(subscription))
        return _SubscriptionUpdate(
            _read(remote.subscription, data), self._plans, free_plan(plans).id
        )

    async def _invoice_update(self, invoice: str) -> "_Write":
        data = await self._request(lambda v1: v1.invoices.retrieve(invoice))
        return _InvoiceUpdate(_read(remote.invoice, data))

    async def _checkout(
        self, account: Account, plan: Plan, subscription: Subscription | None, now: float
    ) -> str:
        metadata = {"account": account.id}
        params: dict[str, Any] = {
            "mode": "subscription",
            "line_items": [{"price": self._prices[plan.id], "quantity": 1}],
            "client_reference_id": account.id,
            "metadata": metadata,
            "subscription_data": {"metadata": metadata},
            "success_url": f"{self._page}?done=paid",
            "cancel_url": f"{self._page}?plan={plan.id}",
        }
        if subscription is not None:
            params["customer"] = subscription.customer
        elif account.email:
            params["customer_email"] = account.email
        idempotency_key = (
            f"checkout-{account.id}-{plan.id}-{len(params)}-{int(now // _CHECKOUT_WINDOW)}"
        )
        session = await self._request(
            lambda v1: v1.checkout.sessions.create(params, {"idempotency_key": idempotency_key})
        )
        return str(session["url"])

    async def _change(self, account: Account, live: Subscription, plan: Plan, plans: Plans) -> Step:
        params: dict[str, Any] = {
            "items": [{"id": live.item, "price": self._prices[plan.id]}],
            "proration_behavior": "always_invoice",
            "cancel_at_period_end": False,
        }
        if plan.id == live.plan and live.ends_at is None:
            return Step(done="kept")
        await self._update(live, params, plans)
        return Step(done="resumed" if plan.id == live.plan else "changed")

    async def _cancel(self, account: Account, live: Subscription | None, plans: Plans) -> Step:
        """Cancel a plan at the end of the paid period."""
        if live is None:
            raise BadRequest("You pay for no plan, so there is none to cancel. Ask the operator.")
        if live.ends_at is None:
            await self._update(live, {"cancel_at_period_end": True}, plans)
        return Step(done="ending")

    async def _update(self, live: Subscription, params: dict[str, Any], plans: Plans) -> None:
        async with self._lock:
            data = await self._request(
                lambda v1: v1.subscriptions.update(live.subscription, params)
            )
            changed = _read(remote.subscription, data)
            async with self._database.write() as db:
                await _SubscriptionUpdate(changed, self._plans, free_plan(plans).id)(db)

    async def _request(self, call: Callable[[Any], "stripe.StripeObject"]) -> dict[str, Any]:
        """Call Stripe's blocking library in a thread. Raises BillingFailed."""
        stripe, settings = _library(), self._settings
        client = stripe.StripeClient(
            settings.stripe_key,
            base_addresses={"api": settings.stripe_api or "https://api.stripe.com"},
            max_network_retries=2,
        )
        try:
            data = await asyncio.to_thread(call, client.v1)
        except stripe.StripeError as error:
            log.warning("billing.failed", error=type(error).__name__, code=error.code or "")
            raise BillingFailed from error
        return dict(data.to_dict())

    @property
    def _page(self) -> str:
        return f"{self._settings.base_url}/dashboard/billing"


def _read(convert: Callable[[Mapping[str, Any]], Any], data: Mapping[str, Any]) -> Any:
    try:
        return convert(data)
    except msgspec.ValidationError as error:
        raise BillingFailed from error


class _NoUpdate:
    """An event that needs no action."""

    async def __call__(self, db: AsyncConnection) -> None:
        """Write nothing."""


class _SubscriptionUpdate:
    """Writes the current state of a subscription."""

    def __init__(
        self, subscription: remote.RemoteSubscription, plans: Mapping[str, str], free_plan_id: str
    ) -> None:
        self._subscription = subscription
        self._plans = plans
        self._free_plan = free_plan_id

    async def __call__(self, db: AsyncConnection) -> None:
        """Save the subscription and update its account's plan."""
        subscription = self._subscription
        plan = self._plans.get(subscription.item.price.id)
        try:
            account = await identity.by_id(db, subscription.metadata.get("account", ""))
        except AccountNotFound:
            log.warning("billing.unknown_account", subscription=subscription.id)
            return
        if plan is None:
            price = subscription.item.price.id
            log.error("billing.unknown_price", price=price, subscription=subscription.id)
            return
        before = await payments.of_account(db, account.id)
        now = remote.subscription_row(subscription, account.id, plan)
        effect = remote.effect(now, before, self._free_plan, account.plan)
        if before is None or before.subscription == now.subscription or now.status in remote.PAYING:
            await payments.keep(db, now)
        if effect.plan is not None:
            await payments.put(db, account, effect.plan, effect.until, self._free_plan)


class _InvoiceUpdate:
    """Writes the current state of an invoice."""

    def __init__(self, invoice: remote.RemoteInvoice) -> None:
        self._invoice = invoice

    async def __call__(self, db: AsyncConnection) -> None:
        """Save the invoice for its account."""
        invoice = self._invoice
        account = invoice.account or await payments.account_of(db, invoice.customer)
        if account:
            await payments.keep_invoice(db, remote.invoice_row(invoice, account))


_Write = _NoUpdate | _SubscriptionUpdate | _InvoiceUpdate
