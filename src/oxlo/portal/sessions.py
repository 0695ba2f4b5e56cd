"""Sessions of the website, read from a cookie before a page is rendered."""

import secrets
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from oxlo.portal.pages import Flash
from oxlo.portal.portal import Portal, Visit, address, follow_plans
from oxlo.store import sessions
from oxlo.store.accounts import Account
from oxlo.store.errors import DatabaseUnavailable
from oxlo.store.sessions import LIFE

#: Frequent requests that need no session.
_SKIPPED = ("/v1/", "/static/", "/media/", "/metrics", "/healthz")


class SignedIn:
    """Middleware that sets `visit`, `user` and `csrf` in the request's state and reloads plans."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Look up the cookie's session, then continue."""
        if scope["type"] == "http" and not scope["path"].startswith(_SKIPPED):
            follow_plans(scope["app"])
            request = Request(scope)
            scope.setdefault("state", {}).update(await _state(request))
        await self._app(scope, receive, send)


async def _state(request: Request) -> dict[str, Any]:
    portal = Portal.of(request)
    token = request.cookies.get(portal.cookies.session, "")
    visitor = request.cookies.get(portal.cookies.visitor, "")
    anonymous = {"csrf": portal.csrf(visitor) if visitor else ""}
    if not token:
        return anonymous
    try:
        visit = await _visit(portal, token, address(request))
    except DatabaseUnavailable:
        return anonymous | {"unknown": True}  # pages behind a login answer 503
    if visit is None:
        return anonymous
    return {"visit": visit, "user": visit.account, "csrf": portal.csrf(token)}


async def _visit(portal: Portal, token: str, seen_from: str) -> Visit | None:
    database, now = portal.site.database, portal.now
    async with database.read() as db:
        result = await sessions.find(db, token, now=now)
    if result is None:
        return None
    session, account = result
    if sessions.is_stale(session, now):
        async with database.write() as db:
            await sessions.touch(db, session, address=seen_from, now=now)
    return Visit(session, account)


async def sign_in(request: Request, reply: Response, account: Account) -> Response:
    """Start a session and set its cookie; the request's previous session ends.

    The token is always new, which prevents session fixation.
    """
    portal = Portal.of(request)
    async with portal.site.database.write() as db:
        visit = getattr(request.state, "visit", None)
        _, token = await sessions.begin(
            db,
            account.id,
            address=address(request),
            agent=request.headers.get("user-agent", ""),
            now=portal.now,
            instead_of=None if visit is None else visit.session,
        )
    portal.cookies.set(reply, portal.cookies.session, token, int(LIFE))
    portal.cookies.delete(reply, portal.cookies.visitor)
    return reply


async def sign_out(request: Request, reply: Response) -> Response:
    """End the request's session."""
    portal = Portal.of(request)
    visit = getattr(request.state, "visit", None)
    if visit is not None:
        async with portal.site.database.write() as db:
            await sessions.end(db, visit.session)
    portal.cookies.delete(reply, portal.cookies.session)
    return reply


def csrf_token(request: Request) -> str:
    """The CSRF token of this visitor; a new visitor cookie is created if needed."""
    if not request.state.csrf:
        request.state.new_visitor = secrets.token_urlsafe(24)
        request.state.csrf = Portal.of(request).csrf(request.state.new_visitor)
    return str(request.state.csrf)


def set_visitor_cookie(request: Request, reply: Response) -> Response:
    """Set the cookie of a new visitor."""
    portal, visitor_cookie = Portal.of(request), getattr(request.state, "new_visitor", "")
    if visitor_cookie:
        portal.cookies.set(reply, portal.cookies.visitor, visitor_cookie)
    return reply


def flash(request: Request, kind: str, text: str) -> None:
    """Show a message at the top of the page that answers this request."""
    flashes = getattr(request.state, "flashes", ())
    request.state.flashes = (*flashes, Flash(kind, text))  # type: ignore[arg-type]
