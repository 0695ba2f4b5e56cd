"""Recovery codes: what a person keeps on paper for the day the authenticator is gone.

Fifty random bits each, kept as an HMAC with the installation's secret: a copy of the database says
nothing about them, and what is guessed at the log-in is slowed down as passwords are.
"""

import hmac
import secrets

COUNT = 10
#: No letter or digit that is taken for another one.
_LETTERS = "ABCDEFGHJKMNPQRSTVWXYZ23456789"
_HALF = 5


def made() -> list[str]:
    """New codes, as they are shown: `7KQ2M-XV9TD`."""
    return [f"{_half()}-{_half()}" for _ in range(COUNT)]


def digest(signing: bytes, account_id: str, code: str) -> str:
    """What is kept of a code, however it was typed: in any case, with or without its hyphen."""
    said = f"oxlo recovery\0{account_id}\0{_plain(code)}"
    return hmac.digest(signing, said.encode(), "sha256").hex()


def is_shaped(code: str) -> bool:
    """Whether this could be one: one-time codes are shorter."""
    return len(_plain(code)) == 2 * _HALF


def _plain(code: str) -> str:
    return "".join(letter for letter in code.upper() if letter.isalnum())


def _half() -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(_HALF))
