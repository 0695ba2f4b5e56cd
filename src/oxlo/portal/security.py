"""Security headers of pages."""

from collections.abc import Mapping

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data: blob:",
    "media-src": "'self' blob:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "manifest-src": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
}


def policy(**more: str) -> str:
    """The Content-Security-Policy; `form_action="https://..."` adds a source to a directive."""
    added = {name.replace("_", "-"): source for name, source in more.items()}
    return "; ".join(
        f"{name} {value} {added.get(name, '')}".strip() for name, value in _POLICY.items()
    )


HEADERS: Mapping[str, str] = {
    "content-security-policy": policy(),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(self), payment=(), usb=()",
    "referrer-policy": "strict-origin-when-cross-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
#: Half a year; sent over HTTPS only.
_HSTS = "max-age=15768000"


class SecurityHeaders:
    """Middleware that adds headers which a response has not set itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add the headers to the response."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        secure = _scheme(scope) == "https"

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add(MutableHeaders(scope=message), secure=secure)
            await send(message)

        await self._app(scope, receive, with_headers)


def _scheme(scope: Scope) -> str:
    proto = dict(scope["headers"]).get(b"x-forwarded-proto", b"")
    return str(proto.decode("latin-1"))


def _add(headers: MutableHeaders, *, secure: bool) -> None:
    for name, value in HEADERS.items():
        headers.setdefault(name, value)
    if secure:
        headers.setdefault("strict-transport-security", _HSTS)
