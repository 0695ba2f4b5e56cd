"""Decoding the token count that an engine returns."""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from oxlo.engines.dialects.failures import UNREADABLE
from oxlo.errors import EngineFailed

T = TypeVar("T", bound=msgspec.Struct)


def counter(kind: type[T], count: Callable[[T], int]) -> Callable[[bytes], int]:
    """A function that decodes a response of type `kind`, or raises EngineFailed."""
    decoder = msgspec.json.Decoder(kind)

    def read(body: bytes) -> int:
        try:
            return count(decoder.decode(body))
        except UNREADABLE:
            raise EngineFailed from None

    return read
