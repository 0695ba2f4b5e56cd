"""Trusted proxies, and how they determine a client's address."""

import ipaddress
from collections.abc import Mapping

#: Headers set by proxies.
_FORWARDED = (b"forwarded", b"x-forwarded-for", b"x-real-ip", b"via")


class Proxies:
    """The proxies whose headers are trusted."""

    def __init__(self, trusted: tuple[str, ...]) -> None:
        self._networks = [ipaddress.ip_network(text, strict=False) for text in trusted]

    def client(self, peer: str, headers: Mapping[bytes, bytes]) -> tuple[str, str | None]:
        """The client's address and, if reported by a trusted proxy, its scheme."""
        if not self._trusts(peer):
            return peer, None
        hops = headers.get(b"x-forwarded-for", b"").decode("latin-1").split(",")
        named = [hop.strip() for hop in hops if hop.strip()]
        while len(named) > 1 and self._trusts(named[-1]):
            named.pop()
        scheme = headers.get(b"x-forwarded-proto", b"").decode("latin-1").strip().lower()
        return (named[-1] if named else peer), scheme if scheme in ("http", "https") else None

    def _trusts(self, address: str) -> bool:
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(ip in network for network in self._networks)


def is_local(peer: str, headers: Mapping[bytes, bytes]) -> bool:
    """Whether a request came from this machine, and not through a proxy."""
    if any(name in headers for name in _FORWARDED):
        return False
    try:
        return ipaddress.ip_address(peer).is_loopback
    except ValueError:
        return False
