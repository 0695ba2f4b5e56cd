"""`/docs`: HTML pages, Markdown, images, search."""

import asyncio
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, Response

from oxlo.errors import NotFound
from oxlo.portal import readiness
from oxlo.portal.manual.documentation import PICTURES
from oxlo.portal.manual.naming import Names, replacements
from oxlo.portal.pages import wants_page, wants_part
from oxlo.portal.site import Site

#: Redirects from former slugs, and from the slugs of the hosted product's documentation.
_MOVED = {
    "operating": "operations",
    "capabilities": "",
    "capabilities/text-generation": "api/chat",
    "capabilities/vision": "api/vision",
    "capabilities/vision-models": "api/vision",
    "capabilities/image-generation": "api/images",
    "capabilities/embeddings": "api/embeddings",
    "capabilities/speech-to-text": "api/transcription",
    "capabilities/text-to-speech": "api/speech",
    "capabilities/object-detection": "api/detection",
    "index": "",
}


async def page(request: Request) -> Response:
    """A page as HTML, its Markdown (`.md`), or an image.

    Raises NotFound; for a page's wrong address, browsers get search results for its words instead.
    """
    site, name = Site.of(request), request.path_params["page"].strip("/")
    suffix = f".{name.rpartition('.')[2]}" if "." in name else ""
    if suffix in PICTURES:
        return FileResponse(site.manual.picture(name), media_type=PICTURES[suffix])
    if suffix == ".md":
        return _markdown(site, name.removesuffix(".md"))
    if name in _MOVED:
        return RedirectResponse(f"/docs/{_MOVED[name]}".rstrip("/"), 308)
    try:
        return _page(request, site, name)
    except NotFound:
        if not wants_page(request):
            raise
        words = " ".join(re.findall(r"\w+", name.rpartition("/")[2][:100])).lower()
        return await _results(request, words, status=404)


async def front(request: Request) -> Response:
    """The first page."""
    return _page(request, Site.of(request), "")


async def search(request: Request) -> Response:
    """Search results; the list alone for htmx."""
    return await _results(request, request.query_params.get("q", "").strip()[:200])


async def _results(request: Request, query: str, *, status: int = 200) -> Response:
    """The results of a search; with status 404, in place of a page that does not exist."""
    site, partial = Site.of(request), wants_part(request)
    # In a thread, because the first search renders every page.
    hits = await asyncio.to_thread(site.manual.find, query)
    context = sidebar(site, "search") | {"hits": hits, "q": query, "missing": status == 404}
    context["partial"] = partial
    template = "docs_hits.html" if partial else "docs_search.html"
    headers = {"vary": "cookie, hx-request"}
    headers |= {"hx-push-url": f"/docs/search?q={quote(query)}"} if partial else {}
    return site.pages.respond(request, template, context, status=status, headers=headers)


def _markdown(site: Site, name: str) -> Response:
    slug = "" if name == "index" else name
    text = site.manual.text(slug, _names(site, slug))
    return PlainTextResponse(text, media_type="text/markdown; charset=utf-8")


def _names(site: Site, slug: str) -> Names:
    return replacements(slug, site.catalogue, readiness.read(site.settings.replicas_file))


def _page(request: Request, site: Site, slug: str) -> Response:
    entry, rendered = site.manual.entry(slug), site.manual.rendered(slug, _names(site, slug))
    contents = [(part.anchor, part.heading) for part in rendered.sections if part.level == 2]
    context = (
        sidebar(site, slug, contents)
        | _neighbours(site, slug)
        | {
            "title": entry.title,
            "rendered": rendered,
            "markdown": f"/docs/{slug or 'index'}.md",
        }
    )
    return site.pages.respond(request, "docs.html", context)


def sidebar(site: Site, slug: str, contents: Sequence[tuple[str, str]] = ()) -> dict[str, Any]:
    """Template context of the sidebar; `contents` are (anchor, heading) of the current page."""
    library = site.manual.library
    sections = [
        (name, [(library.pages[page].address, title, page == slug) for page, title in pages])
        for name, pages in library.sections
    ]
    return {"sections": sections, "q": "", "contents": contents}


def _neighbours(site: Site, slug: str) -> dict[str, Any]:
    """The previous and next page as (path, title), or None."""
    library = site.manual.library
    pages = [page for _, listed in library.sections for page in listed]
    at = next((place for place, (page, _) in enumerate(pages) if page == slug), None)
    if at is None:
        return {"before": None, "after": None}
    neighbours = (pages[at - 1] if at else None, pages[at + 1] if at + 1 < len(pages) else None)
    before, after = ((library.pages[one[0]].address, one[1]) if one else None for one in neighbours)
    return {"before": before, "after": after}
