"""The way to Stripe's checkout, which is another site: the pages' security policy lets it through.

Browsers hold a form to its page's `form-action` over every redirect that follows it.
"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page
from tests.browser.conftest import WORDS, Installation, beside, log_out, sign_up
from tests.waiting import PATIENCE

from oxlo.testing.stripe import StripeDouble

pytest.importorskip("stripe")


@pytest.fixture(scope="module")
def stripe() -> Iterator[StripeDouble]:
    """Stripe, at an origin of its own."""
    with beside(StripeDouble("sk_test_1", "whsec_1")) as double:
        yield double


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, stripe: StripeDouble) -> Iterator[str]:
    """An installation that takes payments."""
    installation = Installation(
        tmp_path_factory.mktemp("shop"),
        stripe_key="sk_test_1",
        stripe_webhook_secret="whsec_1",
        stripe_prices=("pro=price_pro", "premium=price_premium"),
        stripe_api=stripe.address,
    )
    installation.start()
    assert installation.ready.wait(PATIENCE)
    yield installation.address
    installation.stop()


@pytest.fixture
def page(chromium: Browser, shop: str) -> Iterator[Page]:
    """A browser of its own; what it complains of fails the test."""
    complaints: list[str] = []
    context = chromium.new_context(base_url=shop)
    page = context.new_page()
    page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    yield page
    context.close()
    assert complaints == []


def _fill(page: Page, email: str, button: str) -> None:
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(WORDS)
    page.locator("main").get_by_role("button", name=button).click()


def test_button_leads_to_the_checkout(page: Page, stripe: StripeDouble) -> None:
    """The button below a plan ends at Stripe's page, on Stripe's origin."""
    sign_up(page, "ann@example.com")
    page.goto("/dashboard/billing")
    page.get_by_role("button", name="Buy Pro").click()
    page.wait_for_url(f"{stripe.address}/c/pay/*")
    assert page.locator("h1").inner_text() == "Pay here"


def test_new_account_goes_on_to_the_checkout(page: Page, stripe: StripeDouble) -> None:
    """A plan's link on the pricing page leads by sign-up straight to Stripe."""
    page.goto("/pricing?plan=premium&auto_checkout=true")
    page.locator("main").get_by_role("link", name="Sign up").first.click()
    _fill(page, "bob@example.com", "Create account")
    page.wait_for_url(f"{stripe.address}/c/pay/*")


def test_log_in_goes_on_to_the_checkout(page: Page, stripe: StripeDouble) -> None:
    """Who has an account comes by the log-in."""
    sign_up(page, "cid@example.com")
    log_out(page)
    page.goto("/pricing?plan=pro&auto_checkout=true")
    _fill(page, "cid@example.com", "Log in")
    page.wait_for_url(f"{stripe.address}/c/pay/*")
