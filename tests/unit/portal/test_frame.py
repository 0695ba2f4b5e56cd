"""What all pages share: assets, headers, theme, errors."""

import re

import httpx2
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from tests.unit.portal.people import Portal

from oxlo.portal.assets import Assets
from oxlo.portal.guard import local_path
from oxlo.portal.security import policy


async def test_front_page_is_for_people(browser: httpx2.AsyncClient) -> None:
    """A browser gets the home page, a program the base URL as JSON."""
    page = await browser.get("/")
    assert page.headers["content-type"].startswith("text/html")
    told = await browser.get("/", headers={"accept": "*/*"})
    assert told.json()["base_url"] == "https://ai.example.org/v1"
    assert page.headers["vary"] == "accept, cookie"


async def test_assets_are_kept_for_a_year(browser: httpx2.AsyncClient) -> None:
    """Every asset that a page uses exists and is cacheable for a year."""
    page = (await browser.get("/")).text
    named = set(re.findall(r'(?:href|src)="(/static/[^"]+)"', page))
    assert len(named) >= 3
    for address in named:
        reply = await browser.get(address)
        assert reply.status_code == 200
        assert reply.headers["cache-control"] == "public, max-age=31536000, immutable"


def test_modules_name_their_imports_as_served() -> None:
    """Imports have hashed names too, so that old and new modules do not mix."""
    assets = Assets()
    module = assets.served(assets.url("site.js").removeprefix("/static/")).body.decode()
    imported = re.findall(r'from "\./([^"]+)"', module)
    assert imported
    for name in imported:
        assert assets.served(name).type.startswith("text/javascript")


async def test_assets_travel_packed(browser: httpx2.AsyncClient) -> None:
    """Clients that accept gzip get it; others get the same bytes uncompressed."""
    packed = await browser.get(Assets().url("site.css"), headers={"accept-encoding": "gzip"})
    plain = await browser.get(Assets().url("site.css"), headers={"accept-encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.text == plain.text


@pytest.mark.parametrize("name", ["nothing.css", "..%2Fsite.py", "site.css"])
async def test_only_served_names_are_there(browser: httpx2.AsyncClient, name: str) -> None:
    """Unhashed names and files elsewhere are a 404."""
    assert (await browser.get(f"/static/{name}")).status_code == 404


async def test_pages_carry_the_policy(browser: httpx2.AsyncClient) -> None:
    """Scripts and styles only from this origin, and no framing."""
    headers = (await browser.get("/")).headers
    assert headers["content-security-policy"] == policy()
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert "strict-transport-security" not in headers


async def test_https_is_remembered(browser: httpx2.AsyncClient) -> None:
    """HTTPS responses have Strict-Transport-Security."""
    reply = await browser.get("/", headers={"x-forwarded-proto": "https"})
    assert reply.headers["strict-transport-security"].startswith("max-age=")


async def test_theme_is_switched_without_scripts(browser: httpx2.AsyncClient) -> None:
    """The switch is a form that sets a cookie."""
    reply = await browser.post("/theme", data={"next": "/models"})
    assert (reply.status_code, reply.headers["location"]) == (303, "/models")
    assert 'data-theme="dark"' in (await browser.get("/")).text


async def test_theme_takes_no_large_forms(browser: httpx2.AsyncClient) -> None:
    """The form needs no login, so its size is limited like any form's."""
    large = await browser.post("/theme", data={"next": "x" * 300_000})
    file = await browser.post("/theme", files={"next": ("a", b"x")})
    assert (large.status_code, file.status_code) == (413, 400)


@pytest.mark.parametrize(
    "path", ["//evil.example", "https://evil.example", "/\\evil.example", "/a\nb", ""]
)
def test_redirects_stay_here(path: str) -> None:
    """Other sites are replaced by the home page."""
    assert local_path(path, "/") == "/"


@pytest.mark.parametrize(
    ("path", "target"), [("/login/?a=b", "/login?a=b"), ("//x.example/", "/x.example")]
)
async def test_slash_at_the_end(browser: httpx2.AsyncClient, path: str, target: str) -> None:
    """A path with a slash at its end is redirected on whatever host the browser knows."""
    reply = await browser.get(f"http://127.0.0.1:8000{path}")
    assert (reply.status_code, reply.headers["location"]) == (307, target)


async def test_errors_are_pages_for_browsers(browser: httpx2.AsyncClient) -> None:
    """Browsers get a page, programs OpenAI's fields, and /v1 always JSON."""
    page = await browser.get("/nothing/<b>here")
    assert page.status_code == 404
    assert "Nothing here" in page.text
    assert "<b>here" not in page.text
    told = await browser.get("/nothing/here", headers={"accept": "application/json"})
    assert told.json()["error"]["code"] == "not_found"
    assert (await browser.get("/v1/requests/req_1")).json()["error"]["code"] == "invalid_api_key"


async def test_failure_is_a_page_like_others(portal: Portal) -> None:
    """An unexpected error has a request id and the security headers, and no details."""

    async def fail(_request: Request) -> Response:
        raise RuntimeError("what nobody should read")

    portal.app.router.routes.insert(0, Route("/fail", fail))
    reply = await portal.somebody().get("/fail", headers={"x-request-id": "req_abc"})
    assert reply.status_code == 500
    assert "req_abc" in reply.text
    assert "nobody should read" not in reply.text
    assert reply.headers["content-security-policy"] == policy()
