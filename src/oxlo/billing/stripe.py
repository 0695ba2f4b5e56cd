"""Stripe: checkout, changes with pro-rating, its customer portal, and its webhooks.

An event only says that something happened: what holds now is asked of Stripe, so it does not
matter in which order events come, or how often.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from oxlo.billing import remote
from oxlo.billing.base import BillingFailed, Step, resting
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

#: Seconds within which two presses of a button are one.
_ONE_PRESS = 60
_LONGEST_EVENT = 1 << 20

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
    """Plans are paid for at Stripe."""

    name = "stripe"

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        #: Price ids by plan, and the other way round.
        self._prices = settings.stripe_price_ids
        self._plans = {price: plan for plan, price in self._prices.items()}
        self._one = asyncio.Lock()

    @property
    def hosts(self) -> str:
        """Where browsers are sent: a page with a form that leads there has to allow it."""
        own = "https://checkout.stripe.com https://billing.stripe.com"
        return f"{own} {self._settings.stripe_api}".strip()

    async def choose(self, account: Account, plan: Plan, plans: Plans, *, now: float) -> Step:
        """Checkout for a first plan; a change of one that is paid holds at once, pro-rated."""
        async with self._database.read() as db:
            mine = await payments.of_account(db, account.id)
        live = mine if mine and mine.status in remote.PAYING else None
        if live is None and plan.id == account.plan:
            return Step(done="kept")
        if plan.id == resting(plans).id:
            return await self._end(account, live, plans)
        if plan.id not in self._prices:
            raise BadRequest(f"{plan.name} is not sold here. Ask the operator for it.")
        if live is None:
            return Step(go=await self._checkout(account, plan, mine, now))
        return await self._change(account, live, plan, plans)

    async def manage(self, account: Account) -> Step:
        """Stripe's own pages for cards, addresses, invoices and the end of a plan."""
        async with self._database.read() as db:
            mine = await payments.of_account(db, account.id)
        if mine is None:
            raise BadRequest("There is nothing to manage yet: you have not paid for a plan.")
        page = {"customer": mine.customer, "return_url": self._page}
        made = await self._ask(lambda v1: v1.billing_portal.sessions.create(page))
        return Step(go=str(made["url"]))

    async def receive(self, payload: bytes, signature: str, plans: Plans, *, now: float) -> None:
        """Take an event of Stripe's; one that came before changes nothing.

        Raises ForgedEvent, or BillingFailed: then Stripe sends it again.
        """
        event = self._checked(payload, signature)
        async with self._one:  # what was asked for later is written later
            async with self._database.read() as db:
                if await payments.is_known(db, event["id"]):
                    return
            write = await self._writer(event, plans)
            async with self._database.write() as db:
                if await payments.note_event(db, event["id"], event["type"], now=now):
                    await write(db)
        log.info("billing.event", event_id=event["id"], type=event["type"])

    def _checked(self, payload: bytes, signature: str) -> dict[str, Any]:
        stripe, secret = _library(), self._settings.stripe_webhook_secret
        if not secret or len(payload) > _LONGEST_EVENT:
            raise ForgedEvent
        try:
            event = stripe.Webhook.construct_event(payload, signature, secret)
            return dict(event.to_dict())
        except (ValueError, stripe.SignatureVerificationError):
            raise ForgedEvent from None

    async def _writer(self, event: Mapping[str, Any], plans: Plans) -> "_Write":
        """What an event makes us write: read from Stripe, before our database is held."""
        kind, about = str(event["type"]), event["data"]["object"]
        if kind.startswith("customer.subscription."):
            return await self._follow(about["id"], plans)
        if kind == "checkout.session.completed" and about.get("subscription"):
            return await self._follow(about["subscription"], plans)
        if kind.startswith("invoice.") and about.get("id"):
            return await self._invoice(about["id"])
        return _Nothing()

    async def _follow(self, subscription: str, plans: Plans) -> "_Write":
        found = await self._ask(lambda v1: v1.subscriptions.retrieve(subscription))
        return _Subscribed(_read(remote.subscription, found), self._plans, resting(plans).id)

    async def _invoice(self, invoice: str) -> "_Write":
        found = await self._ask(lambda v1: v1.invoices.retrieve(invoice))
        return _Invoiced(_read(remote.invoice, found))

    async def _checkout(
        self, account: Account, plan: Plan, mine: Subscription | None, now: float
    ) -> str:
        label = {"account": account.id}
        asked: dict[str, Any] = {
            "mode": "subscription",
            "line_items": [{"price": self._prices[plan.id], "quantity": 1}],
            "client_reference_id": account.id,
            "metadata": label,
            "subscription_data": {"metadata": label},
            "success_url": f"{self._page}?done=paid",
            "cancel_url": f"{self._page}?plan={plan.id}",
        }
        if mine is not None:
            asked["customer"] = mine.customer
        elif account.email:
            asked["customer_email"] = account.email
        once = f"checkout-{account.id}-{plan.id}-{len(asked)}-{int(now // _ONE_PRESS)}"
        made = await self._ask(
            lambda v1: v1.checkout.sessions.create(asked, {"idempotency_key": once})
        )
        return str(made["url"])

    async def _change(self, account: Account, live: Subscription, plan: Plan, plans: Plans) -> Step:
        asked: dict[str, Any] = {
            "items": [{"id": live.item, "price": self._prices[plan.id]}],
            "proration_behavior": "always_invoice",
            "cancel_at_period_end": False,
        }
        if plan.id == live.plan and live.ends_at is None:
            return Step(done="kept")
        await self._update(live, asked, plans)
        return Step(done="resumed" if plan.id == live.plan else "changed")

    async def _end(self, account: Account, live: Subscription | None, plans: Plans) -> Step:
        """A cancelled plan runs to the end of what is paid."""
        if live is None:
            raise BadRequest("You pay for no plan, so there is none to cancel. Ask the operator.")
        if live.ends_at is None:
            await self._update(live, {"cancel_at_period_end": True}, plans)
        return Step(done="ending")

    async def _update(self, live: Subscription, asked: dict[str, Any], plans: Plans) -> None:
        async with self._one:
            found = await self._ask(lambda v1: v1.subscriptions.update(live.subscription, asked))
            changed = _read(remote.subscription, found)
            async with self._database.write() as db:
                await _Subscribed(changed, self._plans, resting(plans).id)(db)

    async def _ask(self, question: Callable[[Any], "stripe.StripeObject"]) -> dict[str, Any]:
        """Ask Stripe, in a thread: its library waits. Raises BillingFailed."""
        stripe, settings = _library(), self._settings
        client = stripe.StripeClient(
            settings.stripe_key,
            base_addresses={"api": settings.stripe_api or "https://api.stripe.com"},
            max_network_retries=2,
        )
        try:
            found = await asyncio.to_thread(question, client.v1)
        except stripe.StripeError as error:
            log.warning("billing.failed", error=type(error).__name__, code=error.code or "")
            raise BillingFailed from error
        return dict(found.to_dict())

    @property
    def _page(self) -> str:
        return f"{self._settings.base_url}/dashboard/billing"


def _read(convert: Callable[[Mapping[str, Any]], Any], found: Mapping[str, Any]) -> Any:
    try:
        return convert(found)
    except msgspec.ValidationError as error:
        raise BillingFailed from error


class _Nothing:
    """An event that is none of our business."""

    async def __call__(self, db: AsyncConnection) -> None:
        """Write nothing."""


class _Subscribed:
    """A subscription as it is now."""

    def __init__(
        self, found: remote.RemoteSubscription, plans: Mapping[str, str], resting_plan: str
    ) -> None:
        self._found = found
        self._plans = plans
        self._resting = resting_plan

    async def __call__(self, db: AsyncConnection) -> None:
        """Keep it, and put its account on the plan that it pays for."""
        found = self._found
        plan = self._plans.get(found.item.price.id)
        try:
            account = await identity.by_id(db, found.metadata.get("account", ""))
        except AccountNotFound:
            log.warning("billing.unknown_account", subscription=found.id)
            return
        if plan is None:
            log.error("billing.unknown_price", price=found.item.price.id, subscription=found.id)
            return
        before = await payments.of_account(db, account.id)
        now = remote.kept(found, account.id, plan)
        becomes = remote.effect(now, before, self._resting, account.plan)
        if before is None or before.subscription == now.subscription or now.status in remote.PAYING:
            await payments.keep(db, now)
        if becomes.plan is not None:
            await payments.put(db, account, becomes.plan, becomes.until, self._resting)


class _Invoiced:
    """An invoice as it is now."""

    def __init__(self, found: remote.RemoteInvoice) -> None:
        self._found = found

    async def __call__(self, db: AsyncConnection) -> None:
        """Keep it, for the account that it is of."""
        found = self._found
        account = found.account or await payments.account_of(db, found.customer)
        if account:
            await payments.keep_invoice(db, remote.kept_invoice(found, account))


_Write = _Nothing | _Subscribed | _Invoiced
