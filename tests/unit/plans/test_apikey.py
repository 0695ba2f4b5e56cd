"""Keys are told from forgeries by arithmetic alone."""

import hashlib
import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oxlo.plans import apikey

SECRET = b"the installation's secret"
ALPHABET = string.ascii_letters + string.digits + "-_"


def test_shape() -> None:
    """`sk_` and 43 url-safe characters."""
    keys = [apikey.mint(SECRET) for _ in range(50)]
    assert all(re.fullmatch(r"sk_[A-Za-z0-9_-]{43}", key) for key in keys)
    assert len(set(keys)) == len(keys)
    assert {len(key) for key in keys} == {apikey.LENGTH}


@given(st.binary(min_size=1))
def test_minted_is_genuine(secret: bytes) -> None:
    """Whatever the secret, its own keys pass and another's do not."""
    key = apikey.mint(secret)
    assert apikey.genuine(key, secret)
    assert not apikey.genuine(key, secret + b"x")


@given(st.text(ALPHABET, min_size=43, max_size=43))
def test_invented_keys_fail(tail: str) -> None:
    """The right shape is not enough."""
    assert not apikey.genuine(f"sk_{tail}", SECRET)


@given(st.integers(3, apikey.LENGTH - 1), st.sampled_from(ALPHABET))
def test_one_character_changed(position: int, character: str) -> None:
    """Any other character anywhere is another key."""
    key = apikey.mint(SECRET)
    changed = key[:position] + character + key[position + 1 :]
    assert apikey.genuine(changed, SECRET) is (changed == key)


def test_one_spelling() -> None:
    """The last character's two spare bits make no second spelling with a digest of its own."""
    key = apikey.mint(SECRET)
    genuine = [key[:-1] + last for last in ALPHABET if apikey.genuine(key[:-1] + last, SECRET)]
    assert genuine == [key]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda key: "",
        lambda key: key[:-1],
        lambda key: key + "A",
        lambda key: key + "=",
        lambda key: key.removeprefix("sk_"),
        lambda key: "pk_" + key[3:],
        lambda key: "SK_" + key[3:],
        lambda key: key[:10] + " " + key[11:],
        lambda key: key[:10] + "\n" + key[11:],
        lambda key: key[:10] + "+" + key[11:],
        lambda key: key[:10] + "é" + key[11:],
        lambda key: key[:10] + "\0" + key[11:],
    ],
)
def test_spoilt_keys_fail(spoil) -> None:
    """Nothing of another shape passes, and nothing raises."""
    assert not apikey.genuine(spoil(apikey.mint(SECRET)), SECRET)


@given(st.text(max_size=60))
def test_anything_is_judged(text: str) -> None:
    """Any header value gets an answer, never an exception."""
    assert not apikey.genuine(text, SECRET)


def test_digest() -> None:
    """What is stored is the SHA-256 in hex: the key cannot be read back."""
    key = apikey.mint(SECRET)
    assert apikey.digest(key) == hashlib.sha256(key.encode()).hexdigest()
    assert key[3:] not in apikey.digest(key)
