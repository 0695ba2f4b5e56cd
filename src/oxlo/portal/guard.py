"""Who may see a page or send a form. Every route behind a login is made here."""

import hmac
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from oxlo.errors import BadRequest, BodyTooLarge, Forbidden, NotFound, Overloaded
from oxlo.portal import sessions
from oxlo.portal.desk import Desk, Visit
from oxlo.portal.security import policy
from oxlo.portal.site import Site
from oxlo.store.accounts import OPERATOR

Page = Callable[[Request], Awaitable[Response]]
Submit = Callable[[Request, FormData], Awaitable[Response]]

_FIELDS = 300
#: Bytes of a form; the gateway would let through more.
_LARGEST = 256 << 10


class Filled(dict[str, str]):
    """Words by the name of a field; "" for those that have none."""

    def __missing__(self, name: str) -> str:
        return ""


class ForgedForm(Forbidden):
    """This form is not from this page, or too old. Go back, load the page again and repeat it."""

    code = "csrf_failed"


def shown(path: str, page: Page) -> Route:
    """A page for everybody."""
    return Route(path, page, methods=["GET"])


def sent(path: str, submit: Submit) -> Route:
    """A form for everybody: its CSRF token is checked before anything else."""

    async def checked(request: Request) -> Response:
        return await submit(request, await _form(request))

    return Route(path, checked, methods=["POST"])


def mine(path: str, page: Page) -> Route:
    """A page for who is signed in; others are sent to log in, and back."""

    async def checked(request: Request) -> Response:
        return await page(request) if _signed_in(request) else _to_login(request)

    return Route(path, checked, methods=["GET"])


def change(path: str, submit: Submit) -> Route:
    """A form for who is signed in."""

    async def checked(request: Request) -> Response:
        if not _signed_in(request):
            return _to_login(request)
        return await submit(request, await _form(request))

    return Route(path, checked, methods=["POST"])


def console(path: str, page: Page) -> Route:
    """A page for operators; for others it is not there."""

    async def checked(request: Request) -> Response:
        if not _signed_in(request):
            return _to_login(request)
        _check_operator(request)
        return await page(request)

    return Route(path, checked, methods=["GET"])


def decree(path: str, submit: Submit) -> Route:
    """A form for operators."""

    async def checked(request: Request) -> Response:
        if not _signed_in(request):
            return _to_login(request)
        _check_operator(request)
        return await submit(request, await _form(request))

    return Route(path, checked, methods=["POST"])


def visit(request: Request) -> Visit:
    """Who is signed in, behind `mine` and `change`."""
    found = request.state.visit
    assert isinstance(found, Visit)
    return found


def respond(
    request: Request, template: str, context: Mapping[str, Any], *, status: int = 200
) -> Response:
    """A page that is kept nowhere; its forms are bound to whoever sees it."""
    sessions.visitor(request)
    desk = Desk.of(request)
    names = {plan.id: plan.name for plan in desk.site.plans}
    given = {"now": desk.now, "plan_name": lambda plan: names.get(plan, plan), **context}
    reply = desk.site.pages.respond(
        request, template, given, status=status, headers={"cache-control": "no-store"}
    )
    return sessions.remember(request, reply)


def may_lead_to_checkout(request: Request, page: Response) -> Response:
    """Let a page's forms end at the payment provider, where there is one.

    Browsers hold a form to its page's policy over all redirects that answer it.
    """
    if hosts := Desk.of(request).billing.hosts:
        page.headers["content-security-policy"] = policy(form_action=hosts)
    return page


def back(path: str) -> Response:
    """After a form: a page to look at, which can be reloaded."""
    return RedirectResponse(path, 303)


def _signed_in(request: Request) -> bool:
    if getattr(request.state, "unknown", False):
        raise Overloaded("The account database cannot be reached just now.", retry_after=2)
    return getattr(request.state, "visit", None) is not None


def _check_operator(request: Request) -> None:
    if visit(request).account.role != OPERATOR:
        raise NotFound(f"There is nothing at {request.url.path}.")


def _to_login(request: Request) -> Response:
    path = request.url.path if request.method == "GET" else "/dashboard"
    query = f"?{request.url.query}" if request.method == "GET" and request.url.query else ""
    target = f"/login?returnUrl={quote(path + query, safe='')}"
    if request.headers.get("hx-request") == "true":
        return Response(status_code=204, headers={"hx-redirect": target})
    return RedirectResponse(target, 303)


async def fields(request: Request) -> FormData:
    """The fields of a form, which has no files. Raises BadRequest, BodyTooLarge."""
    length = request.headers.get("content-length", "")
    if not length.isdigit() or int(length) > _LARGEST:
        raise BodyTooLarge("A form has at most 256 KB.")
    try:
        return await request.form(max_files=0, max_fields=_FIELDS)
    except HTTPException:
        raise BadRequest("This is not a form of these pages.") from None


async def _form(request: Request) -> FormData:
    """The fields of a form. Raises ForgedForm when it is not one of ours, and as `fields` does."""
    form = await fields(request)
    given, expected = form.get("csrf"), getattr(request.state, "csrf", "")
    foreign = request.headers.get("sec-fetch-site", "none") not in ("same-origin", "none")
    genuine = (
        isinstance(given, str)
        and expected
        and hmac.compare_digest(given.encode(), expected.encode())
    )
    if foreign or not genuine:
        raise ForgedForm
    return form


def local(path: str, default: str = "/dashboard") -> str:
    """A path of this site, to go to next: anything else would lead people elsewhere."""
    plain = path.startswith("/") and not path.startswith("//")
    return path if plain and "\\" not in path and path.isprintable() else default


def text(form: FormData, name: str, *, longest: int = 1000) -> str:
    """A field as text; "" where it is missing or a file."""
    value = form.get(name, "")
    return value[:longest] if isinstance(value, str) else ""


def site(request: Request) -> Site:
    """The site's parts."""
    return Desk.of(request).site
