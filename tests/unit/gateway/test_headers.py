"""Response headers: what browsers may read, and what clients cannot put in."""

import re
from pathlib import Path

import pytest

from oxlo.gateway.headers import EXPOSED, clean, cors, status_line

DOCS = Path(__file__).parents[3] / "docs" / "api" / "chat.md"


def test_pages_read_what_is_documented() -> None:
    """All documented headers of ours are exposed to pages of other origins."""
    ours = set(re.findall(r"`(x-oxlo-[a-z-]+)`", DOCS.read_text()))
    assert len(ours) > 4
    assert ours <= set(EXPOSED.decode().split(", "))


def test_origin_may_read() -> None:
    """A page's origin is allowed by name, so that caches keep the responses apart."""
    lines = cors(b"https://a.example").split(b"\r\n")
    assert lines[:2] == [b"access-control-allow-origin: https://a.example", b"vary: origin"]


@pytest.mark.parametrize("origin", [b"", b"a\r\nset-cookie: x", b"a\nx: y", b"a\rx"])
def test_origin_adds_no_header(origin: bytes) -> None:
    """Without an origin, or with a line break in it, there are no CORS headers."""
    assert cors(origin) == b""


def test_status_lines() -> None:
    """Known statuses have their phrase, an engine's own ones a general one."""
    assert status_line(404) == b"HTTP/1.1 404 Not Found\r\n"
    assert status_line(499) == b"HTTP/1.1 499 Status\r\n"


def test_foreign_text_is_cleaned() -> None:
    """Line breaks and anything beyond ASCII are replaced; long text is cut."""
    assert clean("a\r\nb é~ ") == b"a??b ?~ "
    assert clean("x" * 300) == b"x" * 200
