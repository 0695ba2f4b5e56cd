"""API keys: `sk_` and 43 URL-safe characters that include an authentication tag.

A key is 24 random bytes and 8 bytes of their HMAC with the installation's secret. So a gateway can
reject invented keys by computation alone: a flood of them causes no lookups.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from typing import Final

PREFIX: Final = "sk_"
_RANDOM_BYTES = 24
_TAG_BYTES = 8
#: `sk_` and 32 bytes in base64 without padding.
LENGTH: Final = 46


def mint(secret: bytes) -> str:
    """Create a key."""
    random = secrets.token_bytes(_RANDOM_BYTES)
    return _spelt(random + _tag(random, secret))


def genuine(key: str, secret: bytes) -> bool:
    """Whether a key was created with this secret; it may have expired or been revoked."""
    if len(key) != LENGTH or not key.startswith(PREFIX):
        return False
    try:
        raw = base64.b64decode(key[len(PREFIX) :] + "=", altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return False
    # The last character has two unused bits: only one of four spellings is canonical.
    one_spelling = _spelt(raw) == key
    return one_spelling and hmac.compare_digest(
        raw[_RANDOM_BYTES:], _tag(raw[:_RANDOM_BYTES], secret)
    )


def digest(key: str) -> str:
    """The SHA-256 of a key in hex, which is stored instead of it."""
    return hashlib.sha256(key.encode()).hexdigest()


def _spelt(raw: bytes) -> str:
    return PREFIX + base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _tag(random: bytes, secret: bytes) -> bytes:
    return hmac.digest(secret, b"oxlo key\0" + random, "sha256")[:_TAG_BYTES]
