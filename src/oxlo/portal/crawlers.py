"""Text for programs: llms.txt, robots.txt, the sitemap and well-known files."""

from collections.abc import Iterable
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from oxlo.errors import NotFound
from oxlo.ledger.windows import DAY, iso
from oxlo.portal import formats, model_list, models
from oxlo.portal.manual.library import RUNNING
from oxlo.portal.model_list import Row
from oxlo.portal.openapi.operations import OPERATIONS
from oxlo.portal.plans import comparison
from oxlo.portal.site import Site

#: Paths that search engines should not index.
_PRIVATE = ("/dashboard", "/playground", "/login", "/signup", "/docs/search", "/static/")
#: Validity of security.txt in days.
_CONTACT_DAYS = 90


async def llms(request: Request) -> Response:
    """`/llms.txt`: a short description and a table of contents."""
    site = Site.of(request)
    return _text("\n".join(_description(site) + _contents(site)))


async def llms_full(request: Request) -> Response:
    """`/llms-full.txt`: plans, models, endpoints and the developer documentation in one text."""
    site = Site.of(request)
    rows = model_list.rows(site.catalogue, models.current(site))
    parts = [*_description(site), *_plans(site), *_models(rows), *_endpoints(), *_pages(site)]
    return _text("\n".join(parts))


async def ai(request: Request) -> Response:
    """`/.well-known/ai.txt`: the description, and links to more."""
    site = Site.of(request)
    base = site.settings.base_url
    links = [
        f"- Contents: {base}/llms.txt",
        f"- Everything in one text: {base}/llms-full.txt",
        f"- Documentation: {base}/docs",
        f"- Prices and limits: {base}/pricing",
        f"- Models: {base}/models",
    ]
    return _text("\n".join([*_description(site)[:-1], *links]) + "\n")


async def security(request: Request) -> Response:
    """`/.well-known/security.txt` (RFC 9116). Raises NotFound if there is no contact."""
    site = Site.of(request)
    base, contacts = site.settings.base_url, site.settings.security_contact
    if not contacts:
        raise NotFound("This installation names no contact for security reports.")
    expires = (int(site.clock()) // DAY + _CONTACT_DAYS) * DAY
    lines = [
        *(f"Contact: {one if ':' in one else f'mailto:{one}'}" for one in contacts),
        f"Expires: {iso(expires)}",
        f"Canonical: {base}/.well-known/security.txt",
        f"Policy: {base}/docs/security",
    ]
    return _text("\n".join(lines) + "\n")


async def robots(request: Request) -> Response:
    """`/robots.txt`."""
    base = Site.of(request).settings.base_url
    rules = [f"Disallow: {path}" for path in _PRIVATE]
    lines = ["User-agent: *", *rules, "", f"Sitemap: {base}/sitemap.xml"]
    return _text("\n".join(lines) + "\n")


async def sitemap(request: Request) -> Response:
    """`/sitemap.xml`: every public page."""
    site = Site.of(request)
    urls = "".join(
        f"<url><loc>{escape(site.settings.base_url + address)}</loc></url>\n"
        for address in addresses(site)
    )
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{urls}</urlset>\n'
    )
    return Response(body, media_type="application/xml", headers=_HEADERS)


def addresses(site: Site) -> list[str]:
    """Paths of all public pages."""
    static = ["/", "/models", "/pricing", "/status", "/docs/api-reference"]
    docs = [entry.address for entry in site.manual.library.pages.values()]
    return static + [f"/models/{model.id}" for model in site.catalogue] + sorted(docs)


_HEADERS = {"cache-control": "public, max-age=300"}


def _text(text: str) -> Response:
    return PlainTextResponse(text, headers=_HEADERS)


def _description(site: Site) -> list[str]:
    base = site.settings.base_url
    return [
        "# Oxlo",
        "",
        "> One OpenAI-compatible API over open models for chat, code, vision, images, speech, "
        "embeddings and detection, at a flat price per request: one answered call is one request, "
        "whatever its length up to the plan's caps.",
        "",
        f"- Base URL: {base}/v1",
        "- Authentication: Authorization: Bearer KEY",
        f"- OpenAPI: {base}/openapi.json",
        f"- Status: {base}/status.json",
        "",
    ]


def _contents(site: Site) -> list[str]:
    base, lines = site.settings.base_url, []
    for name, pages in site.manual.library.sections:
        lines += [f"## {name}", ""]
        lines += [f"- [{title}]({base}/docs/{slug or 'index'}.md)" for slug, title in pages]
        lines.append("")
    return [*lines, "## Optional", "", f"- [Everything in one text]({base}/llms-full.txt)", ""]


def _plans(site: Site) -> list[str]:
    plans = list(site.plans)
    header = ["", *(plan.name for plan in plans)]
    return [
        "## Plans",
        "",
        *_table(header, ([name, *values] for name, values in comparison(plans))),
        "",
    ]


def _models(rows: list[Row]) -> list[str]:
    lines = ["## Models", ""]
    for key, name in model_list.CATEGORIES.items():
        in_category = [row for row in rows if row.model.category == key]
        cells = (
            [r.model.name, f"`{r.model.id}`", r.model.tier, formats.count(r.context or None, ""),
             r.state, r.model.description]
            for r in in_category
        )  # fmt: skip
        lines += [f"### {name}", ""]
        lines += [*_table(["Model", "Id", "Tier", "Context", "State here", "Good for"], cells), ""]
    return lines


def _endpoints() -> list[str]:
    return [
        "## Endpoints",
        "",
        *_table(
            ["Method", "Path", "What it does"],
            ([op.method.upper(), op.path, op.summary] for op in OPERATIONS),
        ),
        "",
    ]


def _pages(site: Site) -> list[str]:
    """The documentation pages for API users, as Markdown."""
    library, texts = site.manual.library, []
    for name, pages in library.sections:
        if name == RUNNING:
            break
        texts += [library.text(library.pages[slug]) for slug, _ in pages if slug]
    return ["---\n", "\n\n---\n\n".join(texts)]


def _table(header: list[str], rows: Iterable[list[str]]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return [f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines]
