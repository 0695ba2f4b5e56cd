"""Paying through Stripe, with its own library and a double of its API."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.unit.portal.conftest import opened
from tests.unit.portal.people import Portal, Somebody, csrf

from oxlo.portal.portal import Portal as Services
from oxlo.settings import Settings
from oxlo.store import identity
from oxlo.store.accounts import Account
from oxlo.testing.stripe import StripeDouble

pytest.importorskip("stripe")

PAGE = "/dashboard/billing"
HOOK = "/billing/webhook"


@pytest.fixture
async def stripe() -> AsyncIterator[StripeDouble]:
    """Stripe."""
    async with StripeDouble("sk_test_1", "whsec_1") as double:
        yield double


@pytest.fixture
async def portal(stripe: StripeDouble, tmp_path: Path) -> AsyncIterator[Portal]:
    """An installation with Stripe."""
    settings = Settings(
        home=tmp_path,
        stripe_key="sk_test_1",
        stripe_webhook_secret="whsec_1",
        stripe_prices=("pro=price_pro", "premium=price_premium"),
        stripe_api=stripe.address,
    )
    settings.prepare()
    async with opened(settings) as portal:
        yield portal


async def choose(somebody: Somebody, plan: str) -> httpx2.Response:
    """Press the button of a plan."""
    return await somebody.send(PAGE, plan=plan)


async def tell(portal: Portal, event: tuple[bytes, str]) -> httpx2.Response:
    """Post a webhook event as Stripe does, without cookies."""
    body, signature = event
    client = portal.somebody().client
    return await client.post(HOOK, content=body, headers={"stripe-signature": signature})


async def account(portal: Portal) -> Account:
    """The account that signed up."""
    async with portal.database.read() as db:
        found = await identity.by_email(db, "ann@example.com")
    assert found
    return found


async def bought(portal: Portal, stripe: StripeDouble, somebody: Somebody) -> dict[str, Any]:
    """Buy Pro, including Stripe's confirmation."""
    url = (await choose(somebody, "pro")).headers["location"]
    paid = stripe.pay(url)
    assert (await tell(portal, stripe.event("customer.subscription.created", paid))).is_success
    return paid


async def test_checkout_leads_to_the_plan(portal: Portal, stripe: StripeDouble) -> None:
    """The button opens a checkout; the plan starts once the payment is confirmed."""
    somebody = await portal.newcomer()
    reply = await choose(somebody, "pro")
    assert reply.headers["location"].startswith(f"{stripe.address}/c/pay/")
    assert (await account(portal)).plan == "free"
    paid = stripe.pay(reply.headers["location"])
    session = next(iter(stripe.sessions.values()))
    assert (await tell(portal, stripe.event("checkout.session.completed", session))).is_success
    assert (await account(portal)).plan == "pro"
    assert paid["metadata"] == {"account": (await account(portal)).id}


async def test_two_presses_are_one_checkout(portal: Portal, stripe: StripeDouble) -> None:
    """Both requests to Stripe have the same idempotency key."""
    somebody = await portal.newcomer()
    first, second = [(await choose(somebody, "pro")).headers["location"] for _ in range(2)]
    assert first == second
    assert len(stripe.sessions) == 1


async def test_link_leads_straight_to_checkout(portal: Portal, stripe: StripeDouble) -> None:
    """From the pricing page through the login; paying customers see the page instead."""
    link = "/pricing?plan=pro&auto_checkout=true"
    assert (await portal.somebody().get(link)).headers["location"].startswith("/login?returnUrl=")
    somebody = await portal.newcomer()
    onwards = (await somebody.get(link)).headers["location"]
    reply = await somebody.get(onwards)
    assert reply.headers["location"].startswith(f"{stripe.address}/c/pay/")
    stripe.pay(reply.headers["location"])
    paid = next(iter(stripe.subscriptions.values()))
    await tell(portal, stripe.event("customer.subscription.created", paid))
    assert (await somebody.get(onwards.replace("pro", "premium"))).status_code == 200
    assert (await account(portal)).plan == "pro"


async def test_replayed_event_changes_nothing(portal: Portal, stripe: StripeDouble) -> None:
    """A duplicate is answered with 200, without asking Stripe again."""
    somebody = await portal.newcomer()
    paid = stripe.pay((await choose(somebody, "pro")).headers["location"])
    event = stripe.event("customer.subscription.created", paid)
    assert (await tell(portal, event)).is_success
    asked = len(stripe.asked)
    assert (await tell(portal, event)).is_success
    assert len(stripe.asked) == asked


async def test_event_that_comes_twice_at_once(portal: Portal, stripe: StripeDouble) -> None:
    """Concurrent duplicates are handled once."""
    somebody = await portal.newcomer()
    paid = stripe.pay((await choose(somebody, "pro")).headers["location"])
    event = stripe.event("customer.subscription.created", paid)
    replies = await asyncio.gather(*(tell(portal, event) for _ in range(4)))
    assert [reply.status_code for reply in replies] == [200] * 4
    assert sum(call.startswith("GET") for call in stripe.asked) == 1


async def test_events_out_of_order(portal: Portal, stripe: StripeDouble) -> None:
    """An old event that arrives late does not restore an old state."""
    somebody = await portal.newcomer()
    paid = stripe.pay((await choose(somebody, "pro")).headers["location"])
    late = stripe.event("customer.subscription.created", paid)
    paid["status"] = "canceled"
    await tell(portal, stripe.event("customer.subscription.deleted", paid))
    await tell(portal, late)
    assert (await account(portal)).plan == "free"


@pytest.mark.parametrize("how", ["none", "wrong", "old", "other body"])
async def test_forged_events(portal: Portal, stripe: StripeDouble, how: str) -> None:
    """Events without a valid, recent signature are refused."""
    somebody = await portal.newcomer()
    paid = stripe.pay((await choose(somebody, "pro")).headers["location"])
    body, signature = stripe.event("customer.subscription.created", paid)
    forged = {
        "none": (body, ""),
        "wrong": (body, stripe.signature(body, secret="whsec_2")),
        "old": (body, stripe.signature(body, age=600)),
        "other body": (body.replace(b"evt_", b"evu_"), signature),
    }
    reply = await tell(portal, forged[how])
    assert reply.status_code == 400
    assert not any(call.startswith("GET") for call in stripe.asked)
    assert (await account(portal)).plan == "free"


async def test_change_holds_at_once(portal: Portal, stripe: StripeDouble) -> None:
    """Stripe prorates the difference; a second press changes nothing."""
    somebody = await portal.newcomer()
    paid = await bought(portal, stripe, somebody)
    assert (await choose(somebody, "premium")).headers["location"] == f"{PAGE}?done=changed"
    assert (await account(portal)).plan == "premium"
    assert paid["items"]["data"][0]["price"]["id"] == "price_premium"
    assert (await choose(somebody, "premium")).headers["location"] == f"{PAGE}?done=kept"


async def test_cancelled_plan_runs_on(portal: Portal, stripe: StripeDouble) -> None:
    """Until the end of the paid period; before that it can be resumed."""
    somebody = await portal.newcomer()
    paid = await bought(portal, stripe, somebody)
    assert (await choose(somebody, "free")).headers["location"] == f"{PAGE}?done=ending"
    mine = await account(portal)
    end = paid["items"]["data"][0]["current_period_end"]
    assert (mine.plan, mine.plan_until, mine.plan_after) == ("pro", end, "free")
    assert "It is cancelled and ends" in (await somebody.get(PAGE)).text
    assert (await choose(somebody, "pro")).headers["location"] == f"{PAGE}?done=resumed"
    assert (await account(portal)).plan_until is None


async def test_unpaid_plan_ends(portal: Portal, stripe: StripeDouble) -> None:
    """A late payment keeps the plan; when Stripe gives up, the plan ends."""
    somebody = await portal.newcomer()
    paid = await bought(portal, stripe, somebody)
    for status, plan in (("past_due", "pro"), ("unpaid", "free")):
        paid["status"] = status
        await tell(portal, stripe.event("customer.subscription.updated", paid))
        assert (await account(portal)).plan == plan


async def test_invoices_are_listed(portal: Portal, stripe: StripeDouble) -> None:
    """Even if an invoice's event arrives before its subscription's."""
    somebody = await portal.newcomer()
    paid = stripe.pay((await choose(somebody, "pro")).headers["location"])
    await tell(portal, stripe.event("invoice.paid", stripe.invoice(paid, 1490)))
    page = (await somebody.get(PAGE)).text
    assert "14.90 USD" in page
    assert "https://invoice.stripe.com/i/" in page
    assert "14.90 USD" not in (await (await portal.newcomer("bob@example.com")).get(PAGE)).text


async def test_stripe_that_fails(portal: Portal, stripe: StripeDouble) -> None:
    """Users get an error; an event is refused, so that Stripe sends it again."""
    somebody = await portal.newcomer()
    paid = stripe.pay((await choose(somebody, "pro")).headers["location"])
    event = stripe.event("customer.subscription.created", paid)
    stripe.broken = True
    assert (await tell(portal, event)).status_code == 502
    assert (await choose(somebody, "premium")).status_code == 502
    stripe.broken = False
    assert (await tell(portal, event)).is_success
    assert (await account(portal)).plan == "pro"


async def test_customer_portal(portal: Portal, stripe: StripeDouble) -> None:
    """Cards and addresses are managed at Stripe, once there was a payment."""
    somebody = await portal.newcomer()
    assert (await somebody.send(f"{PAGE}/manage", PAGE)).status_code == 400
    await bought(portal, stripe, somebody)
    reply = await somebody.send(f"{PAGE}/manage", PAGE)
    assert reply.headers["location"].startswith(f"{stripe.address}/p/session/")
    policy = (await somebody.get(PAGE)).headers["content-security-policy"]
    assert "https://checkout.stripe.com" in policy


async def test_forms_are_ours(portal: Portal, stripe: StripeDouble) -> None:
    """Forged forms are refused; a plan that is not sold cannot be bought."""
    somebody = await portal.newcomer()
    reply = await somebody.client.post(PAGE, data={"csrf": "0", "plan": "pro"})
    assert reply.status_code == 403
    assert (await choose(somebody, "enterprise")).status_code == 400
    token = csrf(await somebody.get(PAGE))
    unknown = {"csrf": token, "plan": "none"}
    assert (await somebody.client.post(PAGE, data=unknown)).status_code == 400
    assert stripe.asked == []


async def test_paying_account_stays(portal: Portal, stripe: StripeDouble) -> None:
    """It cannot be deleted while its subscription would go on."""
    somebody = await portal.newcomer()
    await bought(portal, stripe, somebody)
    settings = "/dashboard/settings"
    reply = await somebody.send(f"{settings}/delete", settings, password="four plain words here")
    assert reply.status_code == 400
    assert "Cancel your plan in Billing first" in reply.text


def test_desk_pays_by_stripe(portal: Portal) -> None:
    """A secret key is enough to enable Stripe."""
    services: Services = portal.services
    assert services.billing.name == "stripe"


async def test_pages_on_the_way_let_forms_end_at_stripe(portal: Portal) -> None:
    """Login and sign-up may redirect to the checkout; other pages may not."""
    somebody = portal.somebody()
    for path, leads in (("/login", True), ("/signup", True), ("/forgot", False), ("/", False)):
        policy = (await somebody.get(path)).headers["content-security-policy"]
        assert ("https://checkout.stripe.com" in policy) is leads, path
