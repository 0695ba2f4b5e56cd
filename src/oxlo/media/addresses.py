"""Which addresses clients' URLs may lead to: public ones, and those that the operator allows."""

import ipaddress
from collections.abc import Iterable
from typing import NamedTuple

from yarl import URL

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

LONGEST_URL = 8 * 1024
PORTS = (80, 443)
#: IPv6 prefixes with an IPv4 address in the last four bytes (NAT64, RFC 6052 and 8215).
_NAT64 = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))


class NotAllowed(OSError):
    """The address is not allowed; the message says why."""


class Allowed(NamedTuple):
    """One entry of the operator's allow-list."""

    #: A host name in lower case, or "" for a network.
    host: str
    network: Network | None
    #: None: any port.
    port: int | None


class Policy:
    """Public addresses, and the operator's exceptions."""

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        """`allowed` are hosts, addresses and networks, each with an optional `:port`."""
        self._allowed = [_allowed(entry) for entry in allowed]

    def check_url(self, url: URL) -> None:
        """Check a URL before its host is resolved. Raises NotAllowed."""
        if url.scheme not in ("http", "https") or not url.host:
            raise NotAllowed("only http and https URLs are fetched")
        if url.user or url.password:
            raise NotAllowed("a URL with a user name or password in it is not fetched")
        known = any(entry.port in (None, url.port) for entry in self._allowed)
        if url.port not in PORTS and not known:
            raise NotAllowed(f"nothing is fetched from port {url.port}, only from 80 and 443")

    def check(self, host: str, port: int, address: str) -> None:
        """Check an address to which `host` was resolved. Raises NotAllowed."""
        ip = ipaddress.ip_address(address.partition("%")[0])
        if any(_allows(entry, host, port, ip) for entry in self._allowed):
            return
        if port not in PORTS or not is_public(ip):
            raise NotAllowed("pictures are fetched from public addresses only")


def is_public(ip: Address) -> bool:
    """Whether an address is public, also if it is an IPv4 address embedded in IPv6."""
    if isinstance(ip, ipaddress.IPv6Address):
        inner = _embedded(ip)
        if inner is not None:
            return is_public(inner)
        if ip.is_site_local or ip.teredo is not None:
            return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved and not ip.is_unspecified


def _embedded(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that is embedded in an IPv6 address."""
    if any(ip in network for network in _NAT64):
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    if int(ip) >> 32 == 0 and int(ip) > 1:  # IPv4-compatible, long deprecated
        return ipaddress.IPv4Address(int(ip))
    return ip.ipv4_mapped or ip.sixtofour


def _allowed(entry: str) -> Allowed:
    whole = _network(entry.strip("[]"))
    if whole is not None:
        return Allowed("", whole, None)
    host, colon, port = entry.rpartition(":")
    if not colon or not port.isdecimal():
        return Allowed(entry.lower(), None, None)
    host = host.strip("[]").lower()
    network = _network(host)
    return Allowed("" if network else host, network, int(port))


def _network(text: str) -> Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _allows(entry: Allowed, host: str, port: int, ip: Address) -> bool:
    if entry.port not in (None, port):
        return False
    return ip in entry.network if entry.network is not None else entry.host == host.lower()
