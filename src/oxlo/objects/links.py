"""Links to kept files: whoever has one may read the file until it expires."""

import hmac
from dataclasses import dataclass, field
from urllib.parse import urlencode

#: Where files are served; the name follows.
PATH = "/media/"


@dataclass(frozen=True, slots=True)
class Signer:
    """Makes links, and tells them from invented ones."""

    #: Of the installation, without a trailing slash.
    base_url: str
    secret: bytes = field(repr=False)

    def link(self, name: str, expires: int) -> str:
        """The address of a file, good until `expires` in unix seconds."""
        query = urlencode({"expires": expires, "signature": self._signature(name, expires)})
        return f"{self.base_url}{PATH}{name}?{query}"

    def allows(self, name: str, expires: str, signature: str, now: float) -> bool:
        """Whether a link of ours says this, and still holds."""
        if not (expires.isascii() and expires.isdigit() and len(expires) <= 12):
            return False
        genuine = self._signature(name, int(expires)).encode()
        return hmac.compare_digest(genuine, signature.encode()) and now < int(expires)

    def _signature(self, name: str, expires: int) -> str:
        return hmac.new(
            self.secret, f"oxlo media\0{name}\0{expires}".encode(), "sha256"
        ).hexdigest()
