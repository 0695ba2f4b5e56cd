"""What has to survive while somebody logs in at a provider: kept in their browser, sealed. Pure."""

import base64
import hmac

import msgspec

#: Seconds to come back in.
LIFE = 600


class Handshake(msgspec.Struct, frozen=True, kw_only=True):
    """A log-in at a provider that is under way."""

    provider: str
    state: str
    verifier: str
    #: Where to go afterwards.
    target: str
    #: Unix second.
    until: int
    #: The account that is to be linked; "" to log in.
    link: str = ""

    def has(self, state: str) -> bool:
        """Whether this is the state that the provider was given."""
        return hmac.compare_digest(state.encode(), self.state.encode())


def sealed(handshake: Handshake, signing: bytes) -> str:
    """The value of the cookie."""
    body = base64.urlsafe_b64encode(msgspec.json.encode(handshake)).decode()
    return f"{body}.{_seal(body, signing)}"


def opened(cookie: str, signing: bytes, now: float) -> Handshake | None:
    """What a cookie keeps; None: it is not one of ours, or too old."""
    body, _, seal = cookie.partition(".")
    if not hmac.compare_digest(seal.encode(), _seal(body, signing).encode()):
        return None
    handshake = msgspec.json.decode(base64.urlsafe_b64decode(body), type=Handshake)
    return handshake if handshake.until > now else None


def _seal(body: str, signing: bytes) -> str:
    return hmac.digest(signing, b"oxlo handshake\0" + body.encode(), "sha256").hex()
