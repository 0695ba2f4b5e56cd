"""Signed links to stored files: whoever has one may read the file until it expires."""

import hmac
from dataclasses import dataclass, field
from urllib.parse import urlencode

#: Path prefix of stored files.
PATH = "/media/"


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs and verifies links."""

    #: The installation's base URL, without a trailing slash.
    base_url: str
    secret: bytes = field(repr=False)

    def link(self, name: str, expires: int) -> str:
        """A link to a file, valid until `expires` in unix seconds."""
        query = urlencode({"expires": expires, "signature": self._signature(name, expires)})
        return f"{self.base_url}{PATH}{name}?{query}"

    def allows(self, name: str, expires: str, signature: str, now: float) -> bool:
        """Whether a link is ours and has not expired."""
        if not (expires.isascii() and expires.isdigit() and len(expires) <= 12):
            return False
        genuine = self._signature(name, int(expires)).encode()
        return hmac.compare_digest(genuine, signature.encode()) and now < int(expires)

    def _signature(self, name: str, expires: int) -> str:
        return hmac.new(
            self.secret, f"oxlo media\0{name}\0{expires}".encode(), "sha256"
        ).hexdigest()
