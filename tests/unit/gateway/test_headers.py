"""CORS: the response headers exposed to browsers."""

import re
from pathlib import Path

from oxlo.gateway.headers import EXPOSED

DOCS = Path(__file__).parents[3] / "docs" / "api" / "chat.md"


def test_pages_read_what_is_documented() -> None:
    """All documented headers of ours are exposed to pages of other origins."""
    ours = set(re.findall(r"`(x-oxlo-[a-z-]+)`", DOCS.read_text()))
    assert len(ours) > 4
    assert ours <= set(EXPOSED.decode().split(", "))
