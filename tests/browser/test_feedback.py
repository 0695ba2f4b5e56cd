"""What pages say of themselves while something takes its time, or does not come."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route
from tests.browser.conftest import WORDS, sign_up


@pytest.fixture
def page(chromium: Browser, address: str) -> Iterator[Page]:
    """A page of its own, whose network the test may break."""
    context = chromium.new_context(base_url=address)
    yield context.new_page()
    context.close()


def test_form_is_sent_once(page: Page) -> None:
    """Until another page comes, the form says that it is busy; more clicks send nothing."""
    sent: list[str] = []

    def answer(route: Route) -> None:
        sent.append(route.request.method)
        route.fulfill(status=204)  # which leaves the page as it is

    page.goto("/signup")
    page.route("**/signup", answer)
    page.get_by_label("E-mail address").fill("ann@example.com")
    page.get_by_label("Password").fill(WORDS)
    button = page.get_by_role("button", name="Create account")
    with page.expect_response("**/signup"):
        button.click()
    page.locator("form[aria-busy=true]").wait_for()
    button.click()
    page.get_by_label("Password").press("Enter")
    assert sent == ["POST"]


def test_lost_server_is_told(page: Page) -> None:
    """Figures that no longer move say so, and take it back when they do."""
    page.goto("/")
    ask = "htmx.ajax('GET', '/models/ready', {target: '#ready', swap: 'outerHTML'})"
    page.route("**/models/ready", lambda route: route.abort())
    page.evaluate(f"{ask}.catch(() => 0)")
    page.get_by_role("alert").get_by_text("The server is not responding").wait_for()
    page.unroute("**/models/ready")
    page.evaluate(ask)
    page.get_by_role("alert").wait_for(state="detached")


def test_filter_is_applied(page: Page) -> None:
    """A list that updates itself while a filter is being applied does not take its place."""
    update = "htmx.ajax('GET', '/dashboard/requests?q=old', {source: '#list', swap: 'outerHTML'})"

    def answer(route: Route) -> None:
        page.evaluate(update)
        route.continue_()

    sign_up(page, "eve@example.com")
    page.goto("/dashboard/requests?q=old")
    page.route("**/dashboard/requests?q=new&*", answer)
    page.fill("#q", "new")
    page.wait_for_url("**/dashboard/requests?q=new")
    page.locator("#list[hx-get$='q=new']").wait_for()
