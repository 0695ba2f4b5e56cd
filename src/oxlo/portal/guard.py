"""Access control: every route behind a login is created here."""

import hmac
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from oxlo.errors import Forbidden, NotFound, Overloaded
from oxlo.portal import forms, sessions
from oxlo.portal.portal import Portal, Visit
from oxlo.portal.security import policy
from oxlo.portal.site import Site
from oxlo.store.accounts import OPERATOR, Account

Page = Callable[[Request], Awaitable[Response]]
Submit = Callable[[Request, FormData], Awaitable[Response]]


class ForgedForm(Forbidden):
    """This form is not from this page, or has expired. Go back, reload the page and try again."""

    code = "csrf_failed"


def public_page(path: str, page: Page) -> Route:
    """A page without login."""
    return Route(path, page, methods=["GET"])


def public_form(path: str, submit: Submit) -> Route:
    """A form without login; its CSRF token is checked first."""
    return Route(path, _with_form(submit), methods=["POST"])


def account_page(path: str, page: Page) -> Route:
    """A page for signed-in accounts; others are redirected to the login and back."""
    return Route(path, _signed_in(page), methods=["GET"])


def account_form(path: str, submit: Submit) -> Route:
    """A form for signed-in accounts."""
    return Route(path, _signed_in(_with_form(submit)), methods=["POST"])


def operator_page(path: str, page: Page) -> Route:
    """A page for operators; others get a 404."""
    return Route(path, _signed_in(_as_operator(page)), methods=["GET"])


def operator_form(path: str, submit: Submit) -> Route:
    """A form for operators."""
    return Route(path, _signed_in(_as_operator(_with_form(submit))), methods=["POST"])


def _with_form(submit: Submit) -> Page:
    async def checked(request: Request) -> Response:
        return await submit(request, await _form(request))

    return checked


def _signed_in(page: Page) -> Page:
    async def checked(request: Request) -> Response:
        return await page(request) if is_signed_in(request) else _to_login(request)

    return checked


def _as_operator(page: Page) -> Page:
    async def checked(request: Request) -> Response:
        if account(request).role != OPERATOR:
            raise NotFound(f"There is nothing at {request.url.path}.")
        return await page(request)

    return checked


def visit(request: Request) -> Visit:
    """The request's session and account, on all but public routes."""
    current = request.state.visit
    assert isinstance(current, Visit)
    return current


def account(request: Request) -> Account:
    """The signed-in account, on all but public routes."""
    return visit(request).account


def respond(
    request: Request, template: str, context: Mapping[str, Any], *, status: int = 200
) -> Response:
    """Render an uncached page, with forms bound to the visitor's CSRF token."""
    sessions.csrf_token(request)
    portal = Portal.of(request)
    names = {plan.id: plan.name for plan in portal.site.plans}
    values = {"now": portal.now, "plan_name": lambda plan: names.get(plan, plan), **context}
    reply = portal.site.pages.respond(
        request, template, values, status=status, headers={"cache-control": "no-store"}
    )
    return sessions.set_visitor_cookie(request, reply)


def may_lead_to_checkout(request: Request, page: Response) -> Response:
    """Allow a page's forms to redirect to the payment provider, if there is one.

    Browsers apply a page's form-action policy to every redirect that follows the submission.
    """
    if hosts := Portal.of(request).billing.hosts:
        page.headers["content-security-policy"] = policy(form_action=hosts)
    return page


def redirect(path: str) -> Response:
    """Redirect after a form, so that the resulting page can be reloaded."""
    return RedirectResponse(path, 303)


def is_signed_in(request: Request) -> bool:
    """Whether the request has a session. Raises Overloaded if the database is unreachable."""
    if getattr(request.state, "unknown", False):
        raise Overloaded("The account database cannot be reached right now.", retry_after=2)
    return getattr(request.state, "visit", None) is not None


def _to_login(request: Request) -> Response:
    path = request.url.path if request.method == "GET" else "/dashboard"
    query = f"?{request.url.query}" if request.method == "GET" and request.url.query else ""
    target = f"/login?returnUrl={quote(path + query, safe='')}"
    if request.headers.get("hx-request") == "true":
        return Response(status_code=204, headers={"hx-redirect": target})
    return RedirectResponse(target, 303)


async def _form(request: Request) -> FormData:
    """Parse a form and check its CSRF token. Raises ForgedForm and what `forms.fields` raises."""
    form = await forms.fields(request)
    token, expected = form.get("csrf"), getattr(request.state, "csrf", "")
    genuine = (
        isinstance(token, str)
        and expected
        and hmac.compare_digest(token.encode(), expected.encode())
    )
    if is_cross_site(request) or not genuine:
        raise ForgedForm
    return form


def is_cross_site(request: Request) -> bool:
    """Whether the browser reports that another site's page made the request."""
    return request.headers.get("sec-fetch-site", "none") not in ("same-origin", "none")


def local_path(path: str, default: str = "/dashboard") -> str:
    """The path if it is on this site, otherwise the default: prevents open redirects."""
    plain = path.startswith("/") and not path.startswith("//")
    return path if plain and "\\" not in path and path.isprintable() else default


def site(request: Request) -> Site:
    """The site's services."""
    return Portal.of(request).site
