"""Parsing and validation of setting values. Errors are ValueErrors with a reason."""

import contextlib
import ipaddress
import math
import re
from pathlib import Path
from typing import Any, Final, Literal, get_origin

_YES: Final = ("1", "true", "yes")
_NO: Final = ("0", "false", "no")
#: An e-mail address or an https:// URL.
_CONTACT: Final = re.compile(r"[^@\s:]+@[^@\s:]+|https://[^\s]+")


def parse(text: str, kind: Any) -> Any:
    """Parse a setting's value as type `kind`."""
    text = text.strip()
    if kind in (int, float):
        return _number(text, kind)
    if get_origin(kind) is Literal:
        return _one_of(text, kind.__args__)
    if kind is bool:
        return _one_of(text.lower(), tuple(sorted(_YES + _NO))) in _YES
    if kind == tuple[str, ...]:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if kind in (Path, Path | None):
        return Path(text).expanduser()
    return kind(text)


def _number(text: str, kind: type[int] | type[float]) -> float:
    with contextlib.suppress(ValueError):
        number = kind(text)
        if 0 <= number < math.inf:
            return number
    raise ValueError(f"takes a {'whole ' if kind is int else ''}number from 0 up")


def _one_of(text: str, allowed: tuple[str, ...]) -> str:
    if text not in allowed:
        raise ValueError(f"takes one of {', '.join(allowed)}")
    return text


def check_network(text: str) -> None:
    """Check that `text` is an IP address or network."""
    ipaddress.ip_network(text, strict=False)


def check_contact(text: str) -> None:
    """Check that `text` is an e-mail address or an https:// URL."""
    if not _CONTACT.fullmatch(text):
        raise ValueError(f"{text!r} is not an e-mail address and does not begin with https://")


def check_price(text: str) -> None:
    """Check that `text` is a plan and its Stripe price id."""
    plan, _, price = text.partition("=")
    if not plan or not price:
        raise ValueError(f"{text!r} is not PLAN=PRICE_ID")
