"""What pages say of themselves while something takes its time, or does not come."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route
from tests.browser.conftest import WORDS


@pytest.fixture
def page(chromium: Browser, address: str) -> Iterator[Page]:
    """A page of its own, whose network the test may break."""
    context = chromium.new_context(base_url=address)
    yield context.new_page()
    context.close()


def test_form_is_sent_once(page: Page) -> None:
    """Until the answer is there, the form says that it is busy; more clicks send nothing."""
    held: list[Route] = []
    page.route("**/signup", lambda route: held.append(route), times=1)
    page.route("**/signup", lambda route: route.continue_(), times=1)
    page.goto("/signup")
    page.get_by_label("E-mail address").fill("ann@example.com")
    page.get_by_label("Password").fill(WORDS)
    button = page.get_by_role("button", name="Create account")
    button.click(no_wait_after=True)
    page.locator("form[aria-busy=true]").wait_for()
    button.click(no_wait_after=True)
    assert len(held) == 1
    held[0].continue_()
    page.wait_for_url("**/dashboard*")


def test_lost_server_is_told(page: Page) -> None:
    """Figures that no longer move say so, and take it back when they do."""
    page.goto("/")
    ask = "htmx.ajax('GET', '/models/ready', {target: '#ready', swap: 'outerHTML'})"
    page.route("**/models/ready", lambda route: route.abort())
    page.evaluate(f"{ask}.catch(() => 0)")
    page.get_by_role("alert").get_by_text("The server does not answer").wait_for()
    page.unroute("**/models/ready")
    page.evaluate(ask)
    page.get_by_role("alert").wait_for(state="detached")
