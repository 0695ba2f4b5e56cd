"""Response headers, encoded in one place."""

from collections.abc import Iterable
from email.utils import formatdate
from http import HTTPStatus
from typing import Final

from oxlo.engines.dialect import JSON as JSON
from oxlo.engines.dialect import SSE as SSE
from oxlo.errors import ApiError
from oxlo.ledger.windows import Window, tightest

#: The supported version of OpenAI's API.
OPENAI_VERSION: Final = b"openai-version: 2020-10-01\r\n"
#: RFC 9110 requires a challenge with every 401.
_CHALLENGE: Final = b'www-authenticate: Bearer realm="Oxlo API"\r\n'
EXPOSED = (
    b"x-request-id, retry-after, x-should-retry, openai-processing-ms, openai-version, "
    b"x-ratelimit-limit-requests, x-ratelimit-remaining-requests, x-ratelimit-reset-requests, "
    b"x-oxlo-max-tokens-clamped, x-oxlo-ignored-fields, x-oxlo-queue-ms, "
    b"x-oxlo-model, x-oxlo-tried, x-oxlo-idempotent-replay"
)

_STATUS_LINES: Final = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus
}


def status_line(status: int) -> bytes:
    """The status line; unknown status codes (of an engine) get a generic reason phrase."""
    return _STATUS_LINES.get(status) or b"HTTP/1.1 %d Status\r\n" % status


#: Numbers below this are encoded in advance.
_WRITTEN: Final = 4096
_NUMBERS: Final = tuple(b"%d" % n for n in range(_WRITTEN))


def number(value: int) -> bytes:
    """A number in decimal digits."""
    return _NUMBERS[value] if 0 <= value < _WRITTEN else b"%d" % value


def error_head(error: ApiError) -> bytes:
    """Header lines of an error: content type, challenge, Retry-After, x-should-retry."""
    lines = [JSON]
    if error.status == 401:
        lines.append(_CHALLENGE)
    if error.retry_after is not None:
        lines.append(b"retry-after: %d\r\n" % error.retry_after)
    if error.should_retry is not None:
        lines.append(b"x-should-retry: %b\r\n" % (b"true" if error.should_retry else b"false"))
    if error.allow:
        lines.append(b"allow: %b\r\n" % ", ".join(error.allow).encode())
    return b"".join(lines)


def rate_limit_head(day: Window, minute: Window) -> bytes:
    """`x-ratelimit-*-requests` for the window with the fewest requests left; empty if unlimited."""
    window = tightest(day, minute)
    if window.limit is None:
        return b""
    return (
        b"x-ratelimit-limit-requests: %b\r\n"
        b"x-ratelimit-remaining-requests: %b\r\n"
        b"x-ratelimit-reset-requests: %b\r\n"
        % (number(window.limit), number(window.limit - window.used), duration(window.resets_in))
    )


def duration(seconds: int) -> bytes:
    """Format seconds as OpenAI does: `12s`, `6m0s`, `5h12m3s`."""
    minutes, seconds = divmod(seconds, 60)
    if not minutes:
        return b"%bs" % number(seconds)
    hours, minutes = divmod(minutes, 60)
    if not hours:
        return b"%bm%bs" % (number(minutes), number(seconds))
    return b"%bh%bm%bs" % (number(hours), number(minutes), number(seconds))


def clean(value: str, limit: int = 200) -> bytes:
    """Sanitise external text for use as a header value."""
    return "".join(c if " " <= c <= "~" else "?" for c in value[:limit]).encode()


def ignored(names: Iterable[str]) -> bytes:
    """The header line that lists parameters without effect."""
    return b"x-oxlo-ignored-fields: %b\r\n" % clean(", ".join(names))


def cors(origin: bytes) -> bytes:
    """CORS headers that allow pages of this origin to read the response."""
    if not origin or b"\r" in origin or b"\n" in origin:
        return b""
    return (
        b"access-control-allow-origin: %b\r\nvary: origin\r\naccess-control-expose-headers: %b\r\n"
        % (origin, EXPOSED)
    )


PREFLIGHT_METHODS = (
    b"access-control-allow-methods: GET, POST, DELETE, OPTIONS\r\naccess-control-max-age: 7200\r\n"
)


def date_line(now: float) -> bytes:
    """The `date` header line."""
    return b"date: %b\r\n" % formatdate(now, usegmt=True).encode()
