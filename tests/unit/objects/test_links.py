"""Signed links: what holds, until when, and what does not."""

from urllib.parse import parse_qs, urlsplit

import pytest

from oxlo.objects.links import Signer

SIGNER = Signer("https://ai.example", b"secret")
NAME = "ab12.png"


def parts(link: str) -> tuple[str, str, str]:
    """Name, expiry and signature as a server sees them."""
    url = urlsplit(link)
    query = parse_qs(url.query)
    return url.path.removeprefix("/media/"), query["expires"][0], query["signature"][0]


def test_a_link_holds_until_it_expires() -> None:
    """To the second."""
    link = SIGNER.link(NAME, 1000)
    assert link.startswith("https://ai.example/media/ab12.png?expires=1000&signature=")
    assert SIGNER.allows(*parts(link), now=999.9)
    assert not SIGNER.allows(*parts(link), now=1000)


@pytest.mark.parametrize(
    "forged",
    [("other.png", "1000"), (NAME, "2000"), (NAME, "٩٩٩"), (NAME, ""), (NAME, "-1"), (NAME, "1e3")],
)
def test_what_was_not_signed(forged: tuple[str, str]) -> None:
    """Another file or another moment needs another signature."""
    signature = parts(SIGNER.link(NAME, 1000))[2]
    assert not SIGNER.allows(*forged, signature, now=0)


def test_another_installation_s_links() -> None:
    """The secret is what makes them."""
    link = Signer("https://ai.example", b"other").link(NAME, 1000)
    assert not SIGNER.allows(*parts(link), now=0)


@pytest.mark.parametrize("signature", ["", "é", "0" * 64])
def test_nonsense_is_no_signature(signature: str) -> None:
    """Whatever a query may hold."""
    assert not SIGNER.allows(NAME, "1000", signature, now=0)


def test_the_secret_is_not_shown() -> None:
    """Records end up in logs."""
    assert "secret" not in repr(SIGNER)
