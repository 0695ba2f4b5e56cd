"""The playground in a browser, at a platform with real models."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect
from tests.browser.conftest import assert_accessible, log_out, signed_up, upgrade
from tests.scenario.served import MODEL, Platform, until

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("forgotten")]

WAIT = 60_000


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory, starter: Path) -> Iterator[Platform]:
    """A platform with the starter models."""
    platform = Platform(tmp_path_factory.mktemp("playground") / "home", starter)
    try:
        platform.start()
        yield platform
    finally:
        platform.close()


@pytest.fixture(scope="module")
def page(chromium: Browser, platform: Platform) -> Iterator[Page]:
    """Somebody who has signed up; what the browser complains of fails the tests."""
    complaints: list[str] = []
    with signed_up(chromium, platform.port, reduced_motion="reduce") as page:
        upgrade(platform)
        page.on("console", lambda m: complaints.append(m.text) if is_complaint(m) else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield page
    assert complaints == []


def is_complaint(message: ConsoleMessage) -> bool:
    """Errors, but for the browser's note of a reply that a test asks for."""
    return message.type == "error" and not message.text.startswith("Failed to load resource")


def open_pane(page: Page, address: str) -> None:
    """Go there, and wait until its modules run."""
    page.goto(address)
    page.wait_for_selector("#playground[data-begun]")


def test_chat_streams(page: Page) -> None:
    """Ctrl+Enter sends; the answer, its tokens and its receipt appear; a reload keeps them."""
    open_pane(page, f"/playground?model={MODEL}")
    page.fill("#p-max_tokens", "12")
    page.fill("#p-temperature", "0")
    page.fill("#message", "Count to five.")
    page.locator("#message").press("Control+Enter")
    receipt = page.locator(".receipt.known")
    receipt.wait_for(timeout=WAIT)
    assert "12 out" in receipt.inner_text()
    assert receipt.inner_text().split(" · ")[-2:] == ["counted", "Receipt"]
    said = page.locator(".turn.assistant .said").inner_text()
    assert said
    page.reload()
    page.wait_for_selector("#playground[data-begun]")
    assert page.locator(".turn.assistant .said").inner_text() == said
    page.locator(".receipt.known").wait_for(timeout=WAIT)
    assert_accessible(page)


def test_badge_follows_the_server(page: Page) -> None:
    """The model's badge says that the server cannot be reached, and is ready again by itself."""
    page.route("**/readyz", lambda route: route.abort())
    open_pane(page, f"/playground?model={MODEL}")
    expect(page.locator("#state")).to_have_text("Server not reachable")
    page.unroute("**/readyz")
    expect(page.locator("#state")).to_have_text("Ready")


def test_program_is_the_call(page: Page, platform: Platform) -> None:
    """The program that is shown runs, with what was set; the key has to be put in."""
    open_pane(page, f"/playground?model={MODEL}")
    page.fill("#p-max_tokens", "3")
    page.fill("#message", 'It\'s "quoted".')
    page.click("#show-code")
    program = page.locator("#code pre:visible").inner_text()
    assert "max_tokens=3," in program
    assert "stream=True," in program
    assert_accessible(page)
    ran = subprocess.run(
        [sys.executable, "-c", program.replace("YOUR_API_KEY", platform.key)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ,
    )
    assert ran.stdout.strip()
    page.click("text=curl")
    shell = page.locator("#code pre:visible").inner_text().replace("YOUR_API_KEY", platform.key)
    ran = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=True)
    assert ran.stdout.endswith("data: [DONE]\n\n")
    page.keyboard.press("Escape")


def test_faults_say_what_to_do(page: Page) -> None:
    """A value that the API refuses: its words, and the message is back to be sent again."""
    open_pane(page, f"/playground?model={MODEL}")
    page.fill("#p-tools", '[{"type": "function"}]')
    page.fill("#message", "Hello.")
    page.click("#send")
    fault = page.locator(".fault")
    fault.wait_for()
    assert "HTTP 400" in fault.inner_text()
    expect(fault).to_be_in_viewport(ratio=1)
    assert page.input_value("#message") == "Hello."
    page.fill("#p-tools", "[")
    page.click("#send")
    page.get_by_text("tools is not JSON").wait_for()


def test_tool_is_called(page: Page) -> None:
    """The call is shown; what the function answers goes back, and the model goes on."""
    open_pane(page, f"/playground?model={MODEL}")
    page.click("#example-tool")
    page.fill("#p-tool_choice", "required")
    page.click("text=Advanced")
    page.select_option("#p-parallel_tool_calls", "false")
    page.fill("#p-max_tokens", "60")
    page.fill("#message", "What is the weather in Rome?")
    page.click("#send")
    page.locator(".toolcall textarea").wait_for(timeout=WAIT)
    assert page.locator(".toolcall code").inner_text().startswith("get_weather(")
    page.fill("#p-tool_choice", "none")
    page.fill(".toolcall textarea", "Sunny, 21 degrees.")
    page.click("text=Send result")
    page.locator(".turn.assistant").nth(1).locator(".receipt.known").wait_for(timeout=WAIT)
    assert page.locator(".turn.tool").inner_text().endswith("Sunny, 21 degrees.")


def test_answer_follows_a_schema(page: Page) -> None:
    """The editor appears with the choice, and the answer fits what is in it."""
    open_pane(page, f"/playground?model={MODEL}")
    assert page.locator("#schema").is_hidden()
    page.select_option("#p-response_format", "json_schema")
    page.fill("#p-temperature", "0")
    page.fill("#message", "Where is the Colosseum?")
    page.click("#send")
    page.locator(".receipt.known").wait_for(timeout=WAIT)
    said = json.loads(page.locator(".turn.assistant .said").inner_text())
    assert set(said) == {"city", "country"}


def _compare(page: Page) -> None:
    """Send the texts that the pane for embeddings begins with."""
    open_pane(page, "/playground?mode=embeddings")
    page.click("#send")
    page.locator(".receipt.known").wait_for(timeout=WAIT)


def test_texts_are_compared(page: Page) -> None:
    """The two questions about a login are closest."""
    _compare(page)
    assert "Closest: “How do I reset my password?” and “I forgot my login.”" in (
        page.locator(".result").inner_text()
    )


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("mode", ["chat", "embeddings", "speech"])
def test_panes_are_accessible(page: Page, mode: str, theme: str) -> None:
    """Axe finds nothing, and a phone scrolls one way."""
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"/playground?mode={mode}")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert_accessible(page)


def test_key_ends_at_log_out(page: Page) -> None:
    """Whoever took the key from the page has nothing after that."""
    _compare(page)
    slot = "Object.keys(localStorage).find((name) => name.endsWith(':key'))"
    secret = page.evaluate(f"JSON.parse(localStorage.getItem({slot})).key")
    status = "(key) => fetch('/v1/models', {headers: {Authorization: `Bearer ${key}`}})"
    assert page.evaluate(f"({status})('{secret}').then((reply) => reply.status)") == 200
    page.goto("/dashboard/settings")
    log_out(page)
    headers = {"Authorization": f"Bearer {secret}"}
    until(
        lambda: page.request.get("/v1/models", headers=headers).status == 401,
        "the key is refused",
    )
