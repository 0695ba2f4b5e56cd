"""Passwords: which ones are good enough, and their argon2 hashes."""

import asyncio
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST = 10
LONGEST = 200
#: Hashing takes 64 MiB and a core's time each: so many at once, the others wait.
_AT_ONCE = 2
_FEWEST_CHARACTERS = 5
_RUNS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890123456789",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
    "azertyuiopqsdfghjklmwxcvbn",
)
#: What is left of a password that people believe to be clever, without digits and marks.
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
    """The password is too easy to guess; the message says why, for its owner."""


def check(password: str, email: str = "") -> None:
    """Whether a password may be used for an account. Raises WeakPassword."""
    text = unicodedata.normalize("NFKC", password)
    if len(text) < SHORTEST:
        raise WeakPassword(f"Use at least {SHORTEST} characters: three or four words are fine.")
    if len(text) > LONGEST:
        raise WeakPassword(f"Use at most {LONGEST} characters.")
    plain = text.casefold()
    if len(set(plain)) < _FEWEST_CHARACTERS or _is_run(plain) or _is_common(plain):
        raise WeakPassword(
            "This password is among the first that attackers try. Use three or four words."
        )
    local, _, domain = email.casefold().partition("@")
    if plain in (email.casefold(), domain) or (len(local) > 2 and _bare(plain) == _bare(local)):
        raise WeakPassword("Do not use your e-mail address as the password.")


def _is_run(plain: str) -> bool:
    return any(plain in run or plain in run[::-1] for run in _RUNS)


def _is_common(plain: str) -> bool:
    # With letters for the digits that stand for them, and without those at the ends.
    return bool({_bare(plain), _bare(plain.rstrip("0123456789!?.").translate(_LEET))} & _COMMON)


def _bare(plain: str) -> str:
    return "".join(c for c in plain if c.isalpha())


class Passwords:
    """Hashes and checks passwords, in threads: both take tens of milliseconds by design."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._nobody = ""

    async def hash(self, password: str) -> str:
        """What is kept instead of a password."""
        async with self._turns:
            return await asyncio.to_thread(self._hasher.hash, _normal(password))

    async def matches(self, hashed: str | None, password: str) -> bool:
        """Whether it is the password of this hash; of None it never is, and takes as long."""
        async with self._turns:
            right = await asyncio.to_thread(self._verify, hashed, password)
        return right and hashed is not None

    def _nobodys(self) -> str:
        """What is checked where there is no account, so that the answer takes as long."""
        self._nobody = self._nobody or self._hasher.hash("nobody has this password")
        return self._nobody

    def _verify(self, hashed: str | None, password: str) -> bool:
        try:
            return self._hasher.verify(hashed or self._nobodys(), _normal(password))
        except (VerificationError, InvalidHashError):
            return False

    def is_outdated(self, hashed: str) -> bool:
        """Whether it was made with weaker parameters than today's."""
        return self._hasher.check_needs_rehash(hashed)


def _normal(password: str) -> str:
    # The same characters typed on another keyboard are the same password.
    return unicodedata.normalize("NFKC", password)[:LONGEST]
