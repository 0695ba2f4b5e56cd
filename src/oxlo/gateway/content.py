"""Content types accepted by each endpoint."""

from typing import Final

from oxlo.errors import UnsupportedMediaType
from oxlo.gateway import headers
from oxlo.gateway.endpoints import Endpoint, is_form
from oxlo.gateway.exchange import Exchange

_TAKES_FORMS: Final = (
    "Send a form with the file in it, with 'Content-Type: multipart/form-data'. "
    "With curl: -F {field}=@FILE"
)


def check(exchange: Exchange, endpoint: Endpoint) -> None:
    """Reject content types that the endpoint does not accept. Raises UnsupportedMediaType.

    A missing header is accepted as JSON, because clients often omit it.
    """
    given = exchange.headers
    if b"content-encoding" in given:
        _check_coding(given[b"content-encoding"])
    kind = given.get(b"content-type", b"")
    if kind == b"application/json" and endpoint.decode is not None:
        return
    if is_form(kind):
        if endpoint.forms is None:
            raise UnsupportedMediaType
        return
    kind = kind.partition(b";")[0].strip().lower()
    forgiven = (b"", b"text/plain", b"application/x-www-form-urlencoded")
    if endpoint.decode is None or (kind not in forgiven and not kind.endswith(b"json")):
        form = endpoint.forms is not None
        raise UnsupportedMediaType(_TAKES_FORMS.format(field=endpoint.media[0]) if form else None)


def _check_coding(coding: bytes) -> None:
    if coding.strip().lower() not in (b"", b"identity"):
        shown = headers.clean(coding.decode("latin-1"), 40).decode()
        raise UnsupportedMediaType(
            f"Bodies are taken as they are, not compressed: send it without 'Content-Encoding: "
            f"{shown}'.",
            code="unsupported_encoding",
        )
