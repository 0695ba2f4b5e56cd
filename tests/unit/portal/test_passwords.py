"""Password rules and hashes."""

import pytest
from tests.unit.portal.people import QUICK

from oxlo.portal import passwords, totp
from oxlo.portal.passwords import Passwords, WeakPassword


@pytest.mark.parametrize(
    "password",
    [
        "four plain words here",
        "correct-Horse 9 staple",
        "zufällige Wörter, drei",
        "Tr0ub4dor&3xyz",
        "密码密码abc三四五六七",
    ],
)
def test_fine(password: str) -> None:
    """Length counts, not character classes."""
    passwords.check(password, "ann@example.com")


@pytest.mark.parametrize(
    "password",
    [
        "short",
        "x" * 201,
        "abababababab",
        "qwertyuiop",
        "0987654321",
        "Welcome12345",
        "P@$$w0rd!!!!",
        "changeme2026",
        "ann.smith@example.com",
        "annsmith2026",
    ],
)
def test_too_easy(password: str) -> None:
    """Short, repeated, keyboard sequences, common with a year appended, one's own address."""
    with pytest.raises(WeakPassword):
        passwords.check(password, "ann.smith@example.com")


async def test_hash_and_check() -> None:
    """A password matches only its own hash, in any Unicode form; a missing hash matches none."""
    hasher = Passwords(QUICK)
    hashed = await hasher.hash("caf\u00e9 au lait, s'il")
    assert await hasher.matches(hashed, "cafe\u0301 au lait, s'il")
    assert not await hasher.matches(hashed, "cafe au lait, s'il")
    assert not await hasher.matches(None, "nobody has this password")
    assert not await hasher.matches("not a hash", "x")


def test_codes_are_of_their_half_minute() -> None:
    """The previous, current and next time step are valid; others are not."""
    secret = totp.secret(b"signing", "nonce")
    now = 1_800_000_000.0
    import pyotp

    codes = {shift: pyotp.TOTP(secret).at(int(now) + 30 * shift) for shift in (-2, -1, 0, 1, 2)}
    found = {shift: totp.step_of(secret, code, now) for shift, code in codes.items()}
    step = int(now // 30)
    assert found == {-2: None, -1: step - 1, 0: step, 1: step + 1, 2: None}
    assert totp.step_of(totp.secret(b"other", "x"), codes[0], now) is None
    assert totp.step_of(secret, "", now) is None
