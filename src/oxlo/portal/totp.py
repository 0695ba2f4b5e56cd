"""One-time codes (RFC 6238), with derived secrets.

The database holds only a nonce; the secret is its HMAC with the installation's secret, so a copy of
the database reveals no secrets.
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
    """Generate a nonce for an account."""
    return secrets.token_hex(16)


def secret(signing: bytes, nonce_: str) -> str:
    """Derive the secret from its nonce, in base32."""
    raw = hmac.digest(signing, b"oxlo totp\0" + nonce_.encode(), "sha256")[:_SECRET_BYTES]
    return base64.b32encode(raw).decode()


def grouped(text: str) -> str:
    """Format a secret in groups of four characters, for typing."""
    return " ".join(text[at : at + 4] for at in range(0, len(text), 4))


def uri(text: str, name: str) -> str:
    """The `otpauth:` URI of a secret."""
    return str(pyotp.TOTP(text).provisioning_uri(name=name, issuer_name=ISSUER))


def qr_code(link: str) -> Markup:
    """A QR code of the URI as SVG, dark on light in every theme, as scanners expect."""
    code = segno.make_qr(link, error="m")
    svg = code.svg_inline(scale=4, dark="#04080e", light="#ffffff", svgclass="qr", lineclass=None)
    return Markup(svg)  # noqa: S704 -- squares only, no text of the URI


def step_of(text: str, code: str, now: float) -> int | None:
    """The time step of a valid code: current, previous or next; None if the code is wrong."""
    digits = "".join(code.split())
    clock = pyotp.TOTP(text, interval=STEP)
    current = int(now // STEP)
    for step in (current, current - 1, current + 1):
        if hmac.compare_digest(clock.generate_otp(step).encode(), digits.encode()):
            return step
    return None
