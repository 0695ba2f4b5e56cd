"""The way of a newcomer, in a browser, at a platform with a real model."""

import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pyotp
import pytest
from playwright.sync_api import Browser, Page, expect
from tests.browser.conftest import WORDS, assert_accessible, log_out, sign_up
from tests.scenario.served import MODEL, Platform, until

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory, starter: Path) -> Iterator[Platform]:
    """A platform, started from an empty home."""
    platform = Platform(tmp_path_factory.mktemp("portal") / "home", starter)
    try:
        platform.start(OXLO_MODELS=MODEL)
        yield platform
    finally:
        platform.close()


@pytest.fixture
def page(chromium: Browser, platform: Platform) -> Iterator[Page]:
    """A browser of its own; what it complains of fails the test."""
    complaints: list[str] = []
    there = {"base_url": f"http://127.0.0.1:{platform.port}", "timezone_id": "Asia/Tokyo"}
    context = chromium.new_context(**there)
    page = context.new_page()
    page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert complaints == []


def test_newcomer(platform: Platform, page: Page) -> None:
    """Sign up, make a key, call with it, see the call and its receipt; replace, revoke: 401."""
    sign_up(page, "ann@example.com")
    assert "60 of 60 requests left today" in page.locator("#limits").inner_text()
    page.get_by_role("button", name="Create a key").click()
    platform.key = page.locator("code.value").inner_text()
    assert platform.key.startswith("sk_")
    call, _ = platform.complete()
    page.goto("/dashboard")
    assert "59 of 60 requests left today" in page.locator("#limits").inner_text()
    page.locator("#calls tbody tr").first.click()
    page.wait_for_url(f"**/dashboard/requests/{call}")
    assert "it counts as one request" in page.locator(".lead").inner_text()
    utc, here = (page.locator("time").first.get_attribute("title") or "").split("\n")
    assert utc.endswith("UTC")
    assert here.endswith("GMT+9")
    page.goto("/dashboard/usage?by=model")
    assert MODEL in page.locator("table").inner_text()
    new = _replaced(page)
    assert new != platform.key
    page.goto("/dashboard/api-keys")
    page.get_by_text("Change", exact=True).last.click()
    page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    assert not page.get_by_role("button", name="Revoke key").is_visible()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Revoke key").click()
    page.locator(".flash", has_text="The key is revoked").wait_for()
    until(lambda: _status(platform) == 401, "the key is refused")
    platform.key = new
    assert _status(platform) == 200


def _replaced(page: Page) -> str:
    """Replace the only key; the new one, beside which the page says when the old one ends."""
    page.goto("/dashboard/api-keys")
    page.get_by_text("Change", exact=True).last.click()
    page.get_by_label("Old key ends").select_option("after 1 hour")
    page.get_by_role("button", name="Replace key").click()
    page.locator(".made", has_text="works until 2").wait_for()
    return page.locator("code.value").inner_text()


def _status(platform: Platform) -> int:
    request = urllib.request.Request(f"http://127.0.0.1:{platform.port}/v1/models")
    request.add_header("Authorization", f"Bearer {platform.key}")
    try:
        with urllib.request.urlopen(request) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_list_moves(platform: Platform, page: Page) -> None:
    """A call that is made while the list is open appears in it without a reload."""
    sign_up(page, "bob@example.com")
    page.goto("/dashboard/api-keys")
    page.get_by_role("button", name="Create key").click()
    platform.key = page.locator("code.value").inner_text()
    page.goto("/dashboard/requests")
    assert "No requests yet" in page.locator("#list").inner_text()
    call, _ = platform.complete()
    page.get_by_role("link", name=call).wait_for()
    page.reload()
    page.keyboard.press("/")
    page.locator("#q:focus").fill("nothing")
    page.wait_for_url("**/dashboard/requests?q=nothing")
    assert "No requests match these filters" in page.locator("#list").inner_text()
    page.fill("#q", call[-6:])
    page.wait_for_url(f"**/dashboard/requests?q={call[-6:]}")
    page.select_option("#status", "200")
    page.wait_for_url(f"**/dashboard/requests?q={call[-6:]}&status=200")
    page.reload()
    assert page.input_value("#status") == "200"
    assert page.locator("#calls tbody tr").count() == 1


def test_codes_and_recovery(page: Page) -> None:
    """Scan, type the code, keep the ten; one of them logs in without the device. Accessible."""
    sign_up(page, "eve@example.com")
    page.goto("/dashboard/settings")
    page.get_by_role("button", name="Set up codes").click()
    page.get_by_role("img", name="The secret as a QR code").wait_for()
    assert_accessible(page)
    secret = page.locator(".pairing code.value").inner_text().replace(" ", "")
    page.get_by_label("The code that it shows").fill(pyotp.TOTP(secret).now())
    page.get_by_role("button", name="Turn codes on").click()
    code = page.locator(".codes code").first.inner_text()
    assert_accessible(page)
    log_out(page)
    page.goto("/login")
    page.get_by_label("E-mail address").fill("eve@example.com")
    page.get_by_label("Password").fill(WORDS)
    page.locator("main").get_by_role("button", name="Log in").click()
    page.get_by_text("No access to your device?").click()
    assert_accessible(page)
    page.get_by_label("Recovery code").fill(code)
    page.get_by_role("button", name="Log in with it").click()
    page.locator(".flash", has_text="You used a recovery code, and have 9 more").wait_for()


def test_leaving_says_nothing(page: Page) -> None:
    """A page that asks for its figures all the time is left in the midst of it, without a word."""
    sign_up(page, "dot@example.com")
    with page.expect_request("**/dashboard/limits"):
        page.goto("/dashboard")
    page.goto("/models")
    page.go_back()


WIDER = """() => [...document.querySelectorAll("body *")]
    .filter((one) => one.getBoundingClientRect().right > innerWidth + 1
        && !one.closest("pre, .visually-hidden, nav.main, thead"))
    .map((one) => one.outerHTML.slice(0, 100))"""
MINE = ("", "/api-keys", "/usage", "/usage?by=model", "/latency", "/requests", "/settings")


def test_pages_are_accessible(platform: Platform, page: Page) -> None:
    """Axe finds nothing on any page, light or dark, and no page is wider than a phone."""
    sign_up(page, "cid@example.com")
    page.goto("/dashboard/api-keys")
    page.get_by_role("button", name="Create key").click()
    platform.key = page.locator("code.value").inner_text()
    platform.complete()
    for path in MINE:
        for theme, width in (("light", 1280), ("dark", 390)):
            page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
            page.set_viewport_size({"width": width, "height": 844})
            page.goto(f"/dashboard{path}")
            assert_accessible(page)
            assert page.evaluate(WIDER) == [], path


def test_operators_first_password(platform: Platform, page: Page) -> None:
    """The link that the start prints leads to the console."""
    link = platform.between("Portal: ", "\n")
    page.goto(link)
    page.get_by_label("E-mail address").fill("boss@example.com")
    page.get_by_label("New password").fill(WORDS)
    page.get_by_role("button", name="Set password and log in").click()
    page.get_by_role("link", name="Operator", exact=True).click()
    expect(page.locator(".notes").first).to_contain_text("served, all of them ready")
    page.get_by_role("link", name="Accounts", exact=True).click()
    page.get_by_role("cell", name="boss@example.com").wait_for()
    page.get_by_role("link", name="Models and replicas").click()
    expect(page.locator("#fleet")).to_contain_text(f"{MODEL}-1")
    expect(page.locator("#fleet")).to_contain_text("Ready")
    page.emulate_media(color_scheme="dark")
    for path in ("", "/accounts", "/models", "/plans", "/promos", "/audit", "/outbox"):
        page.goto(f"/operator{path}")
        assert_accessible(page)
