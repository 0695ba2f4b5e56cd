"""The documentation as pages."""

import re
from pathlib import Path

import httpx2
import pytest
from tests.unit.portal.conftest import replica, serve

from oxlo.fleet.registry import ReplicaState
from oxlo.portal.manual.documentation import Documentation
from oxlo.portal.manual.library import Library
from oxlo.portal.manual.pages import _MOVED
from oxlo.portal.manual.rendering import Section, anchor, render
from oxlo.portal.manual.search import Index
from oxlo.portal.openapi.operations import OPERATIONS
from oxlo.settings import Settings

DOCS = Path(__file__).parents[3] / "docs"


def page(text: str) -> str:
    """A text rendered as HTML, with unchanged links."""
    return render(text, lambda link: link).html


def test_every_file_is_a_page() -> None:
    """Every file of docs/ is a page, and the important ones are in the sidebar."""
    library = Library.here("https://ai.example.org")
    assert len(library.pages) == len(list(DOCS.rglob("*.md"))) + 3
    listed = {slug for _, pages in library.sections for slug, _ in pages}
    assert {"quickstart", "authentication", "migration", "integrations", "api/chat"} <= listed
    assert not [slug for slug in listed if slug not in library.pages]


@pytest.mark.parametrize("slug", [*_MOVED, "api/parameters", "quickstart", "authentication"])
async def test_pages_of_the_public_documentation(browser: httpx2.AsyncClient, slug: str) -> None:
    """Each page of the hosted documentation redirects to its counterpart."""
    answer = await browser.get(f"/docs/{slug}", follow_redirects=True)
    assert answer.status_code == 200
    assert answer.url.path.strip("/") == f"docs/{_MOVED.get(slug, slug)}".strip("/")


def test_pages_have_this_installations_address() -> None:
    """Examples use the installation's base URL, in HTML and Markdown."""
    library = Library.here("https://ai.example.org")
    for entry in library.pages.values():
        assert "http://127.0.0.1:8000" not in library.text(entry)
    assert "https://ai.example.org/v1" in library.text(library.pages["quickstart"])


@pytest.mark.parametrize(
    ("where", "link", "leads"),
    [
        ("", "api/chat.md", "/docs/api/chat"),
        ("api/chat", "../limits.md#what-counts", "/docs/limits#what-counts"),
        ("api/chat", "streaming.md", "/docs/api/streaming"),
        ("api/chat", "../index.md", "/docs"),
        ("", "../CONTRIBUTING.md", "/docs/contributing"),
        ("contributing", "docs/index.md", "/docs"),
        ("models/tiny-scenes", "tiny-scenes.png", "/docs/models/tiny-scenes.png"),
        ("api/chat", "#messages", "#messages"),
        ("api/chat", "https://example.org/x.md", "https://example.org/x.md"),
        ("accounts", "../src/oxlo/plans/plans.toml", None),
        ("accounts", "../../../etc/passwd", None),
    ],
)
def test_links_lead_to_pages(where: str, link: str, leads: str | None) -> None:
    """Links between files become links between pages; others are reduced to their text."""
    assert Documentation(Library.here("http://x")).resolve_link(where, link) == leads


def test_dropped_links_keep_their_words() -> None:
    """A link to a file that is not served becomes text."""
    html = render("See [the plans](../plans.toml), [here](x.md).", {"x.md": "/docs/x"}.get).html
    assert html == '<p>See the plans, <a href="/docs/x">here</a>.</p>\n'


def test_pages_of_the_site_are_linked() -> None:
    """Code that names a page becomes a link, unless it is inside a link already."""
    assert page("`/status` says").startswith('<p><a href="/status"><code>/status</code></a>')
    assert page("[`/status`](https://x.org)").count("<a ") == 1
    assert "<a " not in page("`/etc/passwd`")


def test_headings_have_anchors() -> None:
    """Ids follow GitHub's rules and are unique."""
    html = page("# A\n\n## What counts?\n\n## What counts?\n")
    assert 'id="what-counts"' in html
    assert 'id="what-counts-1"' in html
    assert anchor("`x-oxlo` and co.") == "x-oxlo-and-co"


def test_cells_say_their_column() -> None:
    """Each cell carries its column's heading, for narrow screens."""
    html = page("| `code` | status |\n|---|--:|\n| a | 1 |\n")
    assert '<td role="cell" data-label="status" class="num">1</td>' in html or (
        'data-label="status"' in html and 'class="num"' in html
    )
    assert "style=" not in html


def test_html_is_text() -> None:
    """HTML in a page is escaped."""
    assert "<script>" not in page("<script>alert(1)</script>")
    assert "<b>" not in page("some <b>bold</b> words")
    assert page("<!-- a note -->") == ""


def test_programs_share_a_block() -> None:
    """Programs in several languages are one block with tabs."""
    fences = "".join(f"```{one}\nx\n```\n\n" for one in ("python", "javascript", "bash"))
    html = page(f"<!-- programs: chat m -->\n{fences}<!-- /programs -->\n\n```bash\ny\n```\n")
    assert html.count('type="radio"') == 3
    assert html.count('class="code"') == 1


def test_code_has_colours_and_a_button() -> None:
    """Code is highlighted, escaped and has a copy button."""
    html = page('```python\nprint("<b>")\n```\n')
    assert 'class="copy"' in html
    assert "&lt;b&gt;" in html


def test_search_finds_sections() -> None:
    """All terms have to match; a heading weighs more than the text."""
    sections = [
        Section("Retrying", "retrying", "Wait as long as retry-after says."),
        Section("Other", "other", "A call may be retried; retry-after says when. <b>"),
        Section("Nothing", "nothing", "Elsewhere."),
    ]
    index = Index([("Errors", "/docs/errors", sections)])
    hits = index.find("retry-after says")
    assert [hit.address for hit in hits] == ["/docs/errors#retrying", "/docs/errors#other"]
    assert "<mark>retry-after</mark>" in hits[0].excerpt
    assert "<b>" not in hits[1].excerpt
    assert index.find("retry unicorn") == []
    assert index.find("") == []


def test_excerpts_are_whole_words() -> None:
    """Excerpts consist of whole words, with ellipses only where cut."""
    text = "unbroken " * 40 + "needle " + "whole " * 60
    (long,) = Index([("T", "/t", [Section("", "", text.strip())])]).find("needle")
    assert set(str(long.excerpt).split()) == {"…", "unbroken", "<mark>needle</mark>", "whole"}
    (short,) = Index([("T", "/t", [Section("", "", "a needle here")])]).find("needle")
    assert short.excerpt == "a <mark>needle</mark> here"


async def test_where_a_page_stands(browser: httpx2.AsyncClient) -> None:
    """The sidebar lists the page's sections; previous and next page are at the end."""
    page = (await browser.get("/docs/api/streaming")).text
    assert page.count('aria-label="On this page"') == 1
    assert '<li><a href="#the-events">The events</a></li>' in page
    before, after = page.index('rel="prev"'), page.index('rel="next"')
    assert "Chat completions" in page[before:after]
    assert "Structured output" in page[after:]
    assert 'rel="prev"' not in (await browser.get("/docs")).text
    assert 'rel="next"' not in (await browser.get("/docs/decisions/0001-record-decisions")).text


async def test_reference_shows_code_as_code(browser: httpx2.AsyncClient) -> None:
    """Backticks in descriptions are rendered as code."""
    page = (await browser.get("/docs/api-reference")).text
    assert "Who may answer when <code>model</code> cannot" in page
    assert "`" not in page


async def test_reference_can_be_pasted(browser: httpx2.AsyncClient) -> None:
    """Examples have no placeholders in paths, and binary output goes to a file."""
    page = (await browser.get("/docs/api-reference")).text
    requests = re.findall(r'aria-label="Request"><code>(.*?)</code>', page, re.DOTALL)
    assert len(requests) == len(OPERATIONS)
    assert not [one for one in requests if "{" in one.partition("Authorization")[0]]
    assert [one for one in requests if "/audio/speech" in one and "speech.mp3" in one]


async def test_search_page(browser: httpx2.AsyncClient) -> None:
    """The search works as a form, and as a fragment for htmx."""
    whole = await browser.get("/docs/search", params={"q": "daily_limit_exceeded"})
    assert "/docs/errors" in whole.text
    part = await browser.get("/docs/search?q=%3Cb%3E", headers={"hx-request": "true"})
    assert "<html" not in part.text
    assert part.headers["hx-push-url"] == "/docs/search?q=%3Cb%3E"


async def test_missing_page_is_searched(browser: httpx2.AsyncClient) -> None:
    """A wrong address is a 404 with what there is about its words; programs get JSON."""
    page = await browser.get("/docs/guides/Rate-limits", headers={"accept": "text/html"})
    assert page.status_code == 404
    assert "/docs/guides/Rate-limits" in page.text
    assert 'href="/docs/limits' in page.text
    nothing = await browser.get("/docs/zzzzqq", headers={"accept": "text/html"})
    assert "No page contains all these words" in nothing.text
    told = await browser.get("/docs/zzzzqq", headers={"accept": "application/json"})
    assert told.json()["error"]["code"] == "not_found"


async def test_markdown_of_each_page(browser: httpx2.AsyncClient) -> None:
    """Each page's source is available with the suffix .md."""
    reply = await browser.get("/docs/api/chat.md")
    assert reply.headers["content-type"].startswith("text/markdown")
    assert reply.text.startswith("# Chat completions")
    assert (await browser.get("/docs/index.md")).status_code == 200


async def test_examples_name_ready_models(browser: httpx2.AsyncClient, settings: Settings) -> None:
    """Models that are not ready are replaced in examples, but not on other pages."""
    serve(settings, replica("llama-3.1-8b", ReplicaState.READY))
    chat = (await browser.get("/docs/api/chat.md")).text
    assert '"model": "llama-3.1-8b"' in chat
    assert "smollm2-135m" not in chat
    assert "llama-3.1-8b" in (await browser.get("/docs/api/chat")).text
    assert "smollm2-135m" in (await browser.get("/docs/models.md")).text
    serve(settings, replica("smollm2-135m", ReplicaState.READY))
    assert "smollm2-135m" in (await browser.get("/docs/api/chat.md")).text


@pytest.mark.parametrize(
    "path", ["nothing", "nothing.md", "../pyproject.toml", "..%2f..%2fx.png", "api"]
)
async def test_what_is_no_page(browser: httpx2.AsyncClient, path: str) -> None:
    """Files outside the documentation are not served."""
    assert (await browser.get(f"/docs/{path}")).status_code == 404
