"""Recovery codes: printed and kept for the day the authenticator is lost.

Fifty random bits each, stored as an HMAC with the installation's secret: a copy of the database
reveals nothing about them, and guessing is rate-limited like passwords.
"""

import hmac
import secrets

COUNT = 10
#: Without letters and digits that are easily confused.
_ALPHABET = "ABCDEFGHJKMNPQRSTVWXYZ23456789"
_HALF = 5


def new_codes() -> list[str]:
    """Generate new codes in display form: `7KQ2M-XV9TD`."""
    return [f"{_half()}-{_half()}" for _ in range(COUNT)]


def digest(signing: bytes, account_id: str, code: str) -> str:
    """The stored digest of a code; case, spaces and hyphens are ignored."""
    message = f"oxlo recovery\0{account_id}\0{_plain(code)}"
    return hmac.digest(signing, message.encode(), "sha256").hex()


def is_shaped(code: str) -> bool:
    """Whether this could be a recovery code; one-time codes are shorter."""
    return len(_plain(code)) == 2 * _HALF


def _plain(code: str) -> str:
    return "".join(letter for letter in code.upper() if letter.isalnum())


def _half() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(_HALF))
