"""One-time codes (RFC 6238). The secret is derived, so a copy of the database is no second factor.

What the database keeps is a nonce; the secret is an HMAC of it with the installation's secret.
"""

import base64
import hmac
import secrets

import pyotp
import segno
from markupsafe import Markup

ISSUER = "Oxlo"
STEP = 30
_SECRET_BYTES = 20


def nonce() -> str:
    """A new nonce for an account."""
    return secrets.token_hex(16)


def secret(signing: bytes, kept: str) -> str:
    """The secret in base32, as authenticators take it."""
    raw = hmac.digest(signing, b"oxlo totp\0" + kept.encode(), "sha256")[:_SECRET_BYTES]
    return base64.b32encode(raw).decode()


def shown(text: str) -> str:
    """A secret in groups of four, for those who type it."""
    return " ".join(text[at : at + 4] for at in range(0, len(text), 4))


def uri(text: str, name: str) -> str:
    """The `otpauth:` link of a secret, which authenticators on the same device open."""
    return str(pyotp.TOTP(text).provisioning_uri(name=name, issuer_name=ISSUER))


def picture(link: str) -> Markup:
    """The link as a QR code in SVG: dark on light in every theme, as cameras expect."""
    code = segno.make_qr(link, error="m")
    drawn = code.svg_inline(scale=4, dark="#04080e", light="#ffffff", svgclass="qr", lineclass=None)
    return Markup(drawn)  # noqa: S704 -- squares and nothing of the link's words


def step_of(text: str, code: str, now: float) -> int | None:
    """The half minute that a code is of: this one, the last or the next; None: it is wrong."""
    digits = "".join(code.split())
    clock = pyotp.TOTP(text, interval=STEP)
    current = int(now // STEP)
    for step in (current, current - 1, current + 1):
        if hmac.compare_digest(clock.generate_otp(step).encode(), digits.encode()):
            return step
    return None
