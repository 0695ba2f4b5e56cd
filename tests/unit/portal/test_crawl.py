"""Every public page, found by following links from the front page."""

import re
from collections import Counter
from collections.abc import Mapping

import httpx2
import pytest
from tests.unit.portal.markup import Markup

from oxlo.portal.routes import _MOVED
from oxlo.portal.security import policy

Pages = Mapping[str, httpx2.Response]


@pytest.fixture(scope="session")
def pages(crawled: Pages) -> dict[str, Markup]:
    """The pages, parsed."""
    return {
        address: Markup.of(page.text)
        for address, page in crawled.items()
        if page.status_code == 200 and page.headers.get("content-type", "").startswith("text/html")
    }


def test_links_lead_somewhere(crawled: Pages) -> None:
    """No internal link is dead."""
    dead = {
        address: page.status_code for address, page in crawled.items() if page.status_code >= 400
    }
    assert dead == {}
    assert len(crawled) > 100


def test_anchors_are_there(crawled: Pages, pages: dict[str, Markup]) -> None:
    """Every fragment refers to an element of the page."""
    missing = set()
    for address, markup in pages.items():
        for link in markup.values("a", "href"):
            target, _, anchor = link.partition("#")
            there = pages.get(target or address)
            if anchor and there and not any(g.get("id") == anchor for _, g in there.elements):
                missing.add((address, link))
    assert missing == set()


@pytest.mark.parametrize(("address", "leads"), _MOVED.items())
async def test_addresses_of_the_hosted_site(
    browser: httpx2.AsyncClient, pages: dict[str, Markup], address: str, leads: str
) -> None:
    """Paths of the hosted site redirect to existing sections; articles to the changelog."""
    assert (await browser.get(address)).headers["location"] == leads
    if address == "/blogs":
        assert (await browser.get("/blogs/an-article")).headers["location"] == leads
    page, _, anchor = leads.partition("#")
    assert page in pages
    assert not anchor or any(given.get("id") == anchor for _, given in pages[page].elements)


def test_pages_are_well_formed(pages: dict[str, Markup]) -> None:
    """Every element is closed, in order."""
    assert {a: m.problems for a, m in pages.items() if m.problems} == {}


def test_ids_are_unique(pages: dict[str, Markup]) -> None:
    """Ids are unique, so labels, links and scripts find the right element."""
    for address, markup in pages.items():
        ids = Counter(given["id"] for _, given in markup.elements if "id" in given)
        assert [name for name, times in ids.items() if times > 1] == [], address


def test_nothing_comes_from_elsewhere(pages: dict[str, Markup]) -> None:
    """No script, style, image, font or form uses another origin."""
    loading = (("script", "src"), ("img", "src"), ("link", "href"), ("form", "action"))
    for address, markup in pages.items():
        for tag, attribute in loading:
            for value in markup.values(tag, attribute):
                assert re.match(r"/(?!/)|data:", value), address


def test_nothing_is_inline(crawled: Pages, pages: dict[str, Markup]) -> None:
    """No page has inline scripts or styles, which the policy forbids."""
    for address, markup in pages.items():
        assert crawled[address].headers["content-security-policy"] == policy(), address
        for tag, given in markup.elements:
            assert tag != "style", address
            assert "style" not in given, (address, tag, given)
            assert not [name for name in given if name.startswith("on")], (address, given)
            assert tag != "script" or given.get("src"), address


def test_pages_have_names(pages: dict[str, Markup]) -> None:
    """Each page has one first-level heading, a description and a language."""
    for address, markup in pages.items():
        tags = Counter(tag for tag, _ in markup.elements)
        assert (tags["h1"], tags["title"] >= 1) == (1, True), address
        assert all(given.get("lang") for tag, given in markup.elements if tag == "html")
        described = [
            g for t, g in markup.elements if t == "meta" and g.get("name") == "description"
        ]
        assert described[0]["content"], address
