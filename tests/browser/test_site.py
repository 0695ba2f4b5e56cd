"""The public pages in a browser: accessible, narrow enough for a phone, quicker with scripts."""

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.browser.conftest import Open, assert_accessible

PAGES = (
    "/",
    "/models",
    "/models/kokoro-82m",
    "/models/compare?id=glm-5&id=yolov9",
    "/pricing",
    "/status",
    "/docs",
    "/docs/api/chat",
    "/docs/api-reference",
    "/docs/search?q=retry",
)


@pytest.mark.parametrize("path", PAGES)
def test_pages_are_accessible(visit: Open, path: str) -> None:
    """Axe finds nothing: contrast, names, roles, order."""
    assert_accessible(visit(path))


@pytest.mark.parametrize("path", PAGES)
def test_dark_pages_have_contrast(visit: Open, path: str) -> None:
    """In the dark theme colours are all that differs."""
    page = visit(path, theme="dark")
    assert_accessible(page, resultTypes=["violations"], runOnly=["color-contrast"])


@pytest.mark.parametrize("path", PAGES)
def test_phones_scroll_one_way(visit: Open, path: str) -> None:
    """At 390 pixels nothing is wider than the page."""
    page = visit(path, width=390)
    wider = page.evaluate(
        """() => [...document.querySelectorAll("body *")]
            .filter((one) => one.getBoundingClientRect().right > innerWidth + 1
                && !one.closest("pre, .visually-hidden, nav.main, thead"))
            .map((one) => one.outerHTML.slice(0, 100))"""
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= 390, wider
    assert wider == []
    assert_accessible(page, resultTypes=["violations"], runOnly=["heading-order", "target-size"])


@pytest.mark.parametrize("width", [1024, 1280])
@pytest.mark.parametrize("path", ["/docs/api/streaming", "/docs/configuration", "/docs/gpu"])
def test_wide_tables_fit(visit: Open, path: str, width: int) -> None:
    """The widest tables of the documentation do not make the page scroll sideways."""
    page = visit(path, width=width)
    page.wait_for_load_state()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_search_names_its_page(visit: Open) -> None:
    """A search as one types has the title that it has when its address is opened."""
    page = visit("/docs")
    page.fill("#docs-q", "retry")
    expect(page).to_have_title("retry · Search · Oxlo")
    page.reload()
    expect(page).to_have_title("retry · Search · Oxlo")


def test_phones_have_no_shortcuts(chromium: Browser, address: str) -> None:
    """What needs a keyboard is not offered where there is none."""
    for touch in (False, True):
        context = chromium.new_context(is_mobile=touch, has_touch=touch)
        page = context.new_page()
        page.goto(address)
        expect(page.get_by_text("lists the shortcuts")).to_be_visible(visible=not touch)
        context.close()


def test_search_as_you_type(visit: Open) -> None:
    """The list follows what is typed, and so does the address."""
    page = visit("/models")
    page.keyboard.press("/")
    page.locator("#q:focus").fill("whisper turbo")
    page.wait_for_url("**/models?q=whisper+turbo")
    assert page.locator("#found tbody tr").count() == 1
    page.locator("#found tbody a").click()
    page.wait_for_url("**/models/whisper-turbo")
    page.go_back()
    page.wait_for_selector("#found")
    assert page.input_value("#q") == "whisper turbo"


#: Longer than a form waits for the next key.
PAUSE = "new Promise((go) => setTimeout(go, 300))"


def test_filters_act_at_once(visit: Open) -> None:
    """With scripts no button is needed; leaving a field asks for nothing again."""
    page = visit("/models")
    page.select_option("#category", "embeddings")
    page.wait_for_url("**/models?category=embeddings")
    page.fill("#q", "large")
    page.wait_for_url("**/models?q=large&category=embeddings")
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url) if "/models" in one.url else None)
    page.focus("#tier")
    page.click("h1")
    page.evaluate(PAUSE)
    assert asked == []


def test_filters_work_without_scripts(visit: Open) -> None:
    """The same form, sent as a form."""
    page = visit("/models", scripts=False)
    page.select_option("#category", "embeddings")
    page.get_by_role("button", name="Search").click()
    page.wait_for_url("**category=embeddings*")
    assert "BGE" in page.locator("#found").inner_text()


def test_calculator_follows(visit: Open) -> None:
    """Another figure, another verdict, on the same page."""
    page = visit("/pricing")
    with page.expect_response("**/pricing/calculation*"):
        page.fill("#calls", "5000")
    page.wait_for_selector("text=No plan with a price covers that")


def test_snippets_share_a_language(visit: Open) -> None:
    """The language that is chosen once holds on the next page."""
    page = visit("/")
    page.click("text=curl")
    assert page.locator(".snippet pre:visible").inner_text().startswith("curl http")
    page.goto(page.url + "models/smollm2-135m")
    assert page.locator(".snippet pre:visible").inner_text().startswith("curl http")


def test_snippets_work_without_scripts(visit: Open) -> None:
    """Languages are radio buttons; a button that would do nothing is not shown."""
    page = visit("/", scripts=False)
    page.click("text=Node")
    assert page.locator(".snippet pre:visible").inner_text().startswith("import OpenAI")
    assert not page.locator("button.copy").first.is_visible()


def _copying(visit: Open, path: str) -> Page:
    """A page that may copy. Its clock stands, so that no button forgets that it has copied."""
    page = visit(path)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    _stop_the_clock(page)
    return page


def _stop_the_clock(page: Page) -> None:
    """Stop the page's clock in a moment that has not come yet, however slow the machine."""
    page.clock.install(time=0)
    page.clock.pause_at(3600)


def test_code_is_copied(visit: Open) -> None:
    """The button copies what is shown, and says so."""
    page = _copying(visit, "/")
    button = page.locator("button.copy").first
    button.click()
    expect(button).to_have_text("Copied")
    assert "OpenAI(base_url=" in page.evaluate("navigator.clipboard.readText()")


#: What a browser has on a page over plain http from another machine.
CLOSED = """() => {
  window.board = navigator.clipboard;
  Object.defineProperty(navigator, "clipboard", { value: undefined });
}"""


def test_code_is_copied_without_the_clipboard(visit: Open) -> None:
    """Over plain http the clipboard is closed: a selection is copied; pressed twice is once."""
    page = _copying(visit, "/")
    page.evaluate(CLOSED)
    button = page.locator("button.copy").first
    button.dblclick()
    expect(button).to_have_text("Copied")
    assert "OpenAI(base_url=" in page.evaluate("board.readText()")
    page.clock.run_for(2000)
    expect(button).to_have_text("Copy")


def test_sessions_are_copied_as_typed(visit: Open) -> None:
    """Of a session at a terminal, commands are copied: no prompt, and nothing that came back."""
    page = _copying(visit, "/docs/quickstart")
    button = page.locator(".code", has_text="$ make run").locator("button.copy")
    button.click()
    expect(button).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "make run"


def test_contents_follow_the_reader(visit: Open) -> None:
    """The list of pages shows where one is: the page in sight, and the part that is read."""
    page = visit("/docs/weights#repositories")
    page.locator(".side [aria-current=location]", has_text="Repositories").wait_for()
    assert page.locator(".side [aria-current=page]").bounding_box()["y"] < 844  # type: ignore[index]
    page.locator("#the-cache").scroll_into_view_if_needed()
    page.mouse.wheel(0, 3000)
    page.locator(".side [aria-current=location]", has_text="The cache").wait_for()
    page.keyboard.press("Home")
    expect(page.locator(".side [aria-current=location]")).to_have_count(0)
    page.keyboard.press("End")
    page.locator(".side [aria-current=location]", has_text="The cache").wait_for()


def test_theme_is_kept(visit: Open) -> None:
    """The switch acts at once, and the next page comes in the chosen theme."""
    page = visit("/")
    page.click("form.theme button")
    assert page.get_attribute("html", "data-theme") == "dark"
    page.reload()
    assert page.get_attribute("html", "data-theme") == "dark"


#: Somebody presses m half a second after the page has come.
EARLY = """() => {
  const pressed = new KeyboardEvent("keydown", { key: "m", bubbles: true });
  Object.defineProperty(pressed, "timeStamp", { value: 500 });
  document.body.dispatchEvent(pressed);
}"""


def test_shortcuts_are_listed(visit: Open) -> None:
    """A question mark opens the list; escape closes it; g and a letter goes there, both needed."""
    page = visit("/")
    opened: list[str] = []
    page.on("request", lambda one: opened.append(one.url) if one.is_navigation_request() else None)
    page.evaluate(EARLY)
    _stop_the_clock(page)  # no second passes between two keys
    page.keyboard.press("?")
    assert page.locator("#shortcuts").is_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("p")
    page.wait_for_url("**/pricing")
    assert opened == [page.url]


def test_list_that_moves_keeps_the_focus(visit: Open) -> None:
    """Who is on a link of a list stays there when the list is fetched anew."""
    page = visit("/")
    page.locator("#ready a").first.focus()
    before = page.evaluate("document.activeElement.href")
    with page.expect_response("**/models/ready"):
        page.evaluate(
            "document.querySelector('#ready').old = 1;"
            "htmx.ajax('GET', '/models/ready', {target: '#ready', swap: 'outerHTML'})"
        )
    page.wait_for_function("!document.querySelector('#ready').old")
    assert page.evaluate("document.activeElement.href") == before


def test_keyboard_reaches_the_content(visit: Open) -> None:
    """The first stop skips the navigation."""
    page = visit("/pricing")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.locator("#content:focus").wait_for()
