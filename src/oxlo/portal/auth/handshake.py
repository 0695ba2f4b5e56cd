"""State of a login at a provider, kept in a signed cookie. Pure."""

import base64
import hmac

import msgspec

#: Seconds for which a login can be completed.
LIFE = 600


class Handshake(msgspec.Struct, frozen=True, kw_only=True):
    """A pending login at a provider."""

    provider: str
    state: str
    verifier: str
    #: Path to redirect to afterwards.
    target: str
    #: Expiry in unix seconds.
    until: int
    #: Id of the account to link; "" to log in.
    link: str = ""

    def has(self, state: str) -> bool:
        """Whether this is the state that was sent to the provider."""
        return hmac.compare_digest(state.encode(), self.state.encode())


def sealed(handshake: Handshake, signing: bytes) -> str:
    """Encode and sign a handshake as a cookie value."""
    body = base64.urlsafe_b64encode(msgspec.json.encode(handshake)).decode()
    return f"{body}.{_seal(body, signing)}"


def opened(cookie: str, signing: bytes, now: float) -> Handshake | None:
    """Verify and decode a cookie; None if it is invalid or expired."""
    body, _, seal = cookie.partition(".")
    if not hmac.compare_digest(seal.encode(), _seal(body, signing).encode()):
        return None
    handshake = msgspec.json.decode(base64.urlsafe_b64decode(body), type=Handshake)
    return handshake if handshake.until > now else None


def _seal(body: str, signing: bytes) -> str:
    return hmac.digest(signing, b"oxlo handshake\0" + body.encode(), "sha256").hex()
