"""A real browser at a real installation; without Chromium these tests are skipped, and say so."""

import asyncio
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from tests.scenario.served import Platform, command
from tests.waiting import PATIENCE, clear_of_midnight

from oxlo.control import context, public
from oxlo.fleet import registry
from oxlo.fleet.registry import ReplicaList, ReplicaState
from oxlo.settings import Settings
from oxlo.store import migrate
from oxlo.store.database import Database
from oxlo.testing.replicas import replica

_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((found for name in _NAMES if (found := shutil.which(name))), None)
#: A password.
WORDS = "four plain words here"
_WITHOUT = "no Chromium: install it, then `make test` runs the browser tests too"

# Five seconds by default, which an overloaded machine may need.
expect.set_options(timeout=PATIENCE * 1000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of this folder need a browser."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if CHROMIUM is None:
                item.add_marker(pytest.mark.skip(reason=_WITHOUT))


@pytest.fixture(autouse=True)
def one_day() -> None:
    """What is counted by the day is not counted over midnight."""
    clear_of_midnight()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The browser. Its loop runs in this thread, so it is gone before other tests want theirs."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-background-networking"]
        )
        yield browser
        browser.close()


def sign_up(page: Page, email: str) -> None:
    """Create an account; ends on its first page."""
    page.goto("/signup")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(WORDS)
    page.get_by_role("button", name="Create account").click()
    page.wait_for_url("**/dashboard*")


def log_out(page: Page) -> None:
    """Log out; ends on the home page."""
    page.get_by_role("button", name="Log out", exact=True).click()
    page.wait_for_url("**/")


def assert_accessible(page: Page, **options: Any) -> None:
    """Axe finds nothing, once the page and its styles have loaded."""
    page.wait_for_load_state()
    results = Axe().run(page, options=options or None)
    assert results.violations_count == 0, f"{page.url}: {results.generate_report()}"


@contextmanager
def signed_up(chromium: Browser, port: int, **how: Any) -> Iterator[Page]:
    """The page of somebody who has signed up; `how` is for the browser's context."""
    context = chromium.new_context(base_url=f"http://127.0.0.1:{port}", **how)
    page = context.new_page()
    sign_up(page, "ann@example.com")
    yield page
    context.close()


def upgrade(platform: Platform) -> None:
    """Put the account on a plan that allows more requests a minute than the tests make."""
    with command(platform.home, platform.port, "accounts", "set-plan", "ann", "pro") as upgraded:
        output = upgraded.communicate()
    assert upgraded.returncode == 0, output


@pytest.fixture(scope="module")
def page(chromium: Browser, platform: Platform) -> Iterator[Page]:
    """The page of somebody who has signed up at the module's platform."""
    with signed_up(chromium, platform.port) as page:
        yield page


@pytest.fixture
def forgotten(page: Page) -> Iterator[None]:
    """The conversations of a test are gone after it; the page's key stays, as keys are limited."""
    yield
    page.goto("/pricing")
    page.evaluate(
        """() => {
            sessionStorage.clear();
            Object.keys(localStorage).filter((name) => !name.endsWith(":key"))
                .forEach((name) => localStorage.removeItem(name));
        }"""
    )


class Installation(threading.Thread):
    """Control's public application on a port of its own, with `more` of its settings."""

    def __init__(self, home: Path, **more: Any) -> None:
        super().__init__(daemon=True)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._settings = Settings(home=home, public_url=self.address, **more)
        self.ready = threading.Event()
        self._server: uvicorn.Server

    def run(self) -> None:
        """Serve until stopped."""
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        settings = self._settings
        settings.prepare()
        states = {"smollm2-135m": ReplicaState.READY, "kokoro-82m": ReplicaState.SICK}
        replicas = tuple(replica(model, state) for model, state in states.items())
        registry.write(settings.replicas_file, ReplicaList(0.0, replicas))
        database = Database(settings.database)
        await migrate.prepare(database)
        app = public.app(context.build(settings, database))
        quick = {"log_level": "error", "lifespan": "off", "timeout_graceful_shutdown": 2}
        self._server = uvicorn.Server(uvicorn.Config(app, **quick))
        self.ready.set()
        await self._server.serve(sockets=[self._listener])
        await database.close()

    def stop(self) -> None:
        """End it."""
        self._server.should_exit = True
        self.join(PATIENCE)
        assert not self.is_alive(), "it still serves"


Double = TypeVar("Double", bound=AbstractAsyncContextManager[Any])


@contextmanager
def beside(double: Double) -> Iterator[Double]:
    """A double served by a loop in a thread of its own: the browser's loop has this one."""
    loop, ready, ended = asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with double:
            ready.set()
            await ended.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    assert ready.wait(PATIENCE)
    try:
        yield double
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(PATIENCE)
        assert not thread.is_alive(), "it still serves"
        loop.close()


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the installation is."""
    installation = Installation(tmp_path_factory.mktemp("site"))
    installation.start()
    assert installation.ready.wait(PATIENCE)
    yield installation.address
    installation.stop()


Open = Callable[..., Page]


@pytest.fixture
def visit(chromium: Browser, address: str) -> Iterator[Open]:
    """Opens a page of the site: `visit("/models", width=390, theme="dark", scripts=False)`.

    What the browser complains of (the security policy, a script, a file that is not there) fails
    the test.
    """
    complaints: list[str] = []
    contexts: list[BrowserContext] = []

    def open_(path: str, *, width: int = 1280, theme: str = "light", scripts: bool = True) -> Page:
        made = chromium.new_context(
            viewport={"width": width, "height": 844},
            color_scheme="dark" if theme == "dark" else "light",
            java_script_enabled=scripts,
        )
        contexts.append(made)
        page = made.new_page()
        page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(address + path)
        return page

    yield open_
    for context_ in contexts:
        context_.close()
    assert complaints == []
