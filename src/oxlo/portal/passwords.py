"""Password rules, and argon2 hashes."""

import asyncio
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

MIN_LENGTH = 10
MAX_LENGTH = 200
#: Concurrent hashes; each takes 64 MiB and a core.
_CONCURRENCY = 2
_MIN_DISTINCT = 5
_SEQUENCES = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890123456789",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
    "azertyuiopqsdfghjklmwxcvbn",
)
#: Common passwords, compared after removing digits and punctuation.
_COMMON = frozenset(
    (
        *("password", "passwort", "passw", "motdepasse", "contrasena", "changeme", "letmein"),
        *("welcome", "iloveyou", "trustno", "administrator", "admin", "superuser", "monkey"),
        *("dragon", "football", "baseball", "sunshine", "princess", "starwars", "whatever"),
        *("secret", "qwerty", "qwertyuiop", "qwertz", "azerty", "asdfgh", "asdfghjkl", "zxcvbn"),
        *("zxcvbnm", "abc", "abcd", "abcdef", "abcdefg", "master", "login", "hello", "oxlo"),
        "correcthorsebatterystaple",
    )
)
_LEET = str.maketrans("@4301$5!7", "aaeoissit")


class WeakPassword(ValueError):
    """The password is too easy to guess; the message tells the user why."""


def check(password: str, email: str = "") -> None:
    """Check a new password. Raises WeakPassword."""
    text = unicodedata.normalize("NFKC", password)
    if len(text) < MIN_LENGTH:
        raise WeakPassword(f"Use at least {MIN_LENGTH} characters: three or four words are fine.")
    if len(text) > MAX_LENGTH:
        raise WeakPassword(f"Use at most {MAX_LENGTH} characters.")
    plain = text.casefold()
    if len(set(plain)) < _MIN_DISTINCT or _is_sequence(plain) or _is_common(plain):
        raise WeakPassword(
            "This password is among the first that attackers try. Use three or four words."
        )
    local, _, domain = email.casefold().partition("@")
    if plain in (email.casefold(), domain) or (
        len(local) > 2 and _letters(plain) == _letters(local)
    ):
        raise WeakPassword("Do not use your e-mail address as the password.")


def _is_sequence(plain: str) -> bool:
    return any(plain in sequence or plain in sequence[::-1] for sequence in _SEQUENCES)


def _is_common(plain: str) -> bool:
    # Also with leetspeak replaced and trailing digits and punctuation removed.
    return bool(
        {_letters(plain), _letters(plain.rstrip("0123456789!?.").translate(_LEET))} & _COMMON
    )


def _letters(plain: str) -> str:
    return "".join(c for c in plain if c.isalpha())


class Passwords:
    """Hashes and verifies passwords in threads: both take tens of milliseconds by design."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._semaphore = asyncio.Semaphore(_CONCURRENCY)
        self._dummy = ""

    async def hash(self, password: str) -> str:
        """Hash a password."""
        async with self._semaphore:
            return await asyncio.to_thread(self._hasher.hash, _normal(password))

    async def matches(self, hashed: str | None, password: str) -> bool:
        """Verify a password. False for `hashed` None, after the same time."""
        async with self._semaphore:
            valid = await asyncio.to_thread(self._verify, hashed, password)
        return valid and hashed is not None

    def _dummy_hash(self) -> str:
        """A dummy hash, verified if there is no account so that timing reveals nothing."""
        self._dummy = self._dummy or self._hasher.hash("nobody has this password")
        return self._dummy

    def _verify(self, hashed: str | None, password: str) -> bool:
        try:
            return self._hasher.verify(hashed or self._dummy_hash(), _normal(password))
        except (VerificationError, InvalidHashError):
            return False

    def is_outdated(self, hashed: str) -> bool:
        """Whether the hash uses weaker parameters than the current ones."""
        return self._hasher.check_needs_rehash(hashed)


def _normal(password: str) -> str:
    # Different encodings of the same characters are the same password.
    return unicodedata.normalize("NFKC", password)[:MAX_LENGTH]
