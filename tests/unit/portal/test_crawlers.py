"""Files for programs: llms.txt, robots.txt, sitemap, status."""

import re
from collections.abc import Mapping
from dataclasses import replace
from xml.etree import ElementTree as ET

import httpx2
import pytest
from tests.unit.portal.conftest import BASE, replica, serve, visiting

from oxlo.fleet.registry import ReplicaState
from oxlo.portal.status import percent, uptime
from oxlo.settings import Settings
from oxlo.store.status import Day


async def test_llms_links_are_there(browser: httpx2.AsyncClient) -> None:
    """Every link in llms.txt answers with text."""
    text = (await browser.get("/llms.txt")).text
    assert text.startswith("# Oxlo\n\n> ")
    links = re.findall(rf"\]\({BASE}([^)]+)\)", text)
    assert len(links) > 20
    for link in links:
        assert (await browser.get(link)).status_code == 200, link


async def test_llms_full_has_it_all(browser: httpx2.AsyncClient) -> None:
    """The full text has plans, every model and the developer documentation."""
    text = (await browser.get("/llms-full.txt")).text
    for words in ("$49.90", "`qwen-3-32b`", "/v1/detect", "# Chat completions", "# Migration"):
        assert words in text


async def test_ai_txt_leads_on(browser: httpx2.AsyncClient) -> None:
    """ai.txt describes the site, and all its links work."""
    text = (await browser.get("/.well-known/ai.txt")).text
    assert text.startswith("# Oxlo\n\n> ")
    for link in re.findall(rf"{BASE}(\S+)", text):
        if link not in ("/v1", "/status.json"):  # these are not the portal's
            assert (await browser.get(link)).status_code == 200, link


async def test_security_txt(settings: Settings) -> None:
    """The operator's contacts in order, with a future expiry; a 404 without contacts."""
    contacts = ("security@example.org", "https://example.org/report")
    async with visiting(replace(settings, security_contact=contacts)) as (client, _):
        reply = await client.get("/.well-known/security.txt")
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    assert reply.text.splitlines() == [
        "Contact: mailto:security@example.org",
        "Contact: https://example.org/report",
        "Expires: 2027-04-15T00:00:00Z",
        f"Canonical: {BASE}/.well-known/security.txt",
        f"Policy: {BASE}/docs/security",
    ]
    async with visiting(settings) as (client, _):
        assert (await client.get("/.well-known/security.txt")).status_code == 404


async def test_site_map_names_public_pages(
    browser: httpx2.AsyncClient, crawled: Mapping[str, httpx2.Response]
) -> None:
    """The sitemap is XML, and lists only pages that are linked."""
    tree = ET.fromstring((await browser.get("/sitemap.xml")).text)
    listed = {str(loc.text).removeprefix(BASE) for loc in tree.iter() if loc.tag.endswith("loc")}
    reached = {address for address, page in crawled.items() if page.status_code == 200}
    assert {address for address in listed if "/decisions/" not in address} <= reached


async def test_robots_point_to_the_map(browser: httpx2.AsyncClient) -> None:
    """Account pages are disallowed, and the sitemap is named."""
    text = (await browser.get("/robots.txt")).text
    assert "Disallow: /dashboard" in text
    assert f"Sitemap: {BASE}/sitemap.xml" in text


async def test_status_page(browser: httpx2.AsyncClient, settings: Settings) -> None:
    """Each served model's state, and the latency of its warm-up."""
    assert "No model is served here yet" in (await browser.get("/status")).text


async def test_status_says_what_is_down(browser: httpx2.AsyncClient, settings: Settings) -> None:
    """A model that is down is shown as down."""
    serve(
        settings,
        replica("smollm2-135m", ReplicaState.READY),
        replica("kokoro-82m", ReplicaState.SICK),
    )
    page = (await browser.get("/status")).text
    assert "Some models are not ready" in page
    assert "84\u202fms" in page
    assert "Down" in page


@pytest.mark.parametrize(
    ("share", "text"), [(1.0, "100"), (0.99999, "99.99"), (0.5, "50"), (0.0, "0")]
)
def test_uptime_is_never_rounded_up(share: float, text: str) -> None:
    """A minute of outage is not shown as 100 %."""
    assert percent(share) == f"{text}\u202f%"


def test_uptime_weighs_days_by_looks() -> None:
    """Days are weighted by their number of checks; without days there is no figure."""
    days = (
        Day(day="2026-11-25", checks=1440, uptime=1.0),
        Day(day="2026-11-26", checks=10, uptime=0.0),
    )
    assert uptime(days) == "99.31\u202f%"
    assert uptime(()) == "\u2013"
