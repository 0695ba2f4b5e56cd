"""Where a client may have us fetch from."""

import ipaddress

import pytest
from yarl import URL

from oxlo.media.addresses import NotAllowed, Policy, is_public

PRIVATE = """
127.0.0.1 127.8.9.1 0.0.0.0 0.1.2.3 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 169.254.169.254
100.64.0.1 192.0.0.1 192.0.2.1 198.18.0.1 203.0.113.9 224.0.0.1 239.1.1.1 240.0.0.1 255.255.255.255
:: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:a9fe:a9fe 64:ff9b::7f00:1
64:ff9b::a00:1 64:ff9b:1::a9fe:a9fe 2002:7f00:1:: 2002:c0a8:101:: 2001:0:4136:e378::3fff:fdd2
fe80::1 fec0::1 fc00::1 fd12:3456::1 ff02::1 2001:db8::1 100::1
"""
PUBLIC = "1.1.1.1 8.8.8.8 93.184.216.34 2606:4700::1111 ::ffff:8.8.8.8 64:ff9b::808:808"


@pytest.mark.parametrize("address", PRIVATE.split())
def test_private(address: str) -> None:
    """However it is written, it is not reached."""
    assert not is_public(ipaddress.ip_address(address))
    with pytest.raises(NotAllowed, match="public addresses only"):
        Policy().check("example.com", 443, address)


@pytest.mark.parametrize("address", PUBLIC.split())
def test_public(address: str) -> None:
    """The internet is reached, through NAT64 too."""
    assert is_public(ipaddress.ip_address(address))
    Policy().check("example.com", 443, address)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://example.com/a.png", "only http and https"),
        ("file:///etc/passwd", "only http and https"),
        ("http:///a.png", "only http and https"),
        ("https://me:secret@example.com/a.png", "user name"),
        ("https://example.com@127.0.0.1/a.png", "user name"),
        ("http://example.com:22/", "port 22"),
        ("https://example.com:8443/", "port 8443"),
    ],
)
def test_refused_before_any_look_up(url: str, why: str) -> None:
    """Some URLs say enough by themselves."""
    with pytest.raises(NotAllowed, match=why):
        Policy().check_url(URL(url))


@pytest.mark.parametrize(
    ("entry", "host", "port", "address", "allowed"),
    [
        ("10.1.0.0/16", "x", 443, "10.1.2.3", True),
        ("10.1.0.0/16", "x", 8080, "10.1.2.3", True),
        ("10.1.0.0/16", "x", 443, "10.2.2.3", False),
        ("10.1.0.0/16:8080", "x", 8080, "10.1.2.3", True),
        ("10.1.0.0/16:8080", "x", 443, "10.1.2.3", False),
        ("Pictures.Intern", "pictures.intern", 80, "10.9.9.9", True),
        ("pictures.intern", "other.intern", 80, "10.9.9.9", False),
        ("pictures.intern:81", "pictures.intern", 81, "10.9.9.9", True),
        ("pictures.intern:81", "pictures.intern", 80, "10.9.9.9", False),
        ("::1", "x", 80, "::1", True),
        ("[::1]:81", "x", 81, "::1", True),
        ("[::1]:81", "x", 82, "::1", False),
        ("127.0.0.1", "x", 80, "::ffff:127.0.0.1", False),
        ("pictures.intern", "pictures.intern", 80, "fe80::1%eth0", True),
    ],
)
def test_operators_exceptions(
    entry: str, host: str, port: int, address: str, allowed: bool
) -> None:
    """A name or a network, for one port or for any."""
    try:
        Policy([entry]).check(host, port, address)
    except NotAllowed:
        assert not allowed
    else:
        assert allowed


def test_an_allowed_port_is_no_allowed_address() -> None:
    """The port of one exception opens no other host."""
    policy = Policy(["10.0.0.1:8080"])
    policy.check_url(URL("http://example.com:8080/"))
    with pytest.raises(NotAllowed):
        policy.check("example.com", 8080, "93.184.216.34")
