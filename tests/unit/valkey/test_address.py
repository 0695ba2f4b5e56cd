"""Where Valkey is, from one URL."""

import pytest

from oxlo.valkey.address import Address, AddressError


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("valkey://limits.lan", Address(host="limits.lan")),
        ("redis://10.0.0.7:7000/3", Address(host="10.0.0.7", port=7000, database=3)),
        (
            "valkeys://oxlo:p%40ss@[::1]:6380",
            Address(host="::1", port=6380, username="oxlo", password="p@ss", tls=True),
        ),
        ("rediss://:secret@h", Address(host="h", password="secret", tls=True)),
        ("unix:///run/valkey.sock", Address(socket="/run/valkey.sock")),
    ],
)
def test_urls(url: str, address: Address) -> None:
    """Each kind of URL, with what it names."""
    assert Address.parse(url) == address


@pytest.mark.parametrize(
    "url",
    ["limits.lan:6379", "http://h", "valkey://", "valkey://h/limits", "valkey://h:x", "unix:"],
)
def test_what_is_none(url: str) -> None:
    """A URL that names no Valkey is refused with what to write."""
    with pytest.raises(AddressError, match="OXLO_VALKEY_URL"):
        Address.parse(url)


def test_passwords_are_not_shown() -> None:
    """Neither logs nor debuggers show a password."""
    address = Address.parse("valkey://oxlo:hunter2@h")
    assert "hunter2" not in f"{address} {address!r}"
