"""Reads how many tokens an engine counted."""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from oxlo.engines.dialects.failures import UNREADABLE
from oxlo.errors import EngineFailed

T = TypeVar("T", bound=msgspec.Struct)


def counter(kind: type[T], tell: Callable[[T], int]) -> Callable[[bytes], int]:
    """A reader of replies of this kind; it raises EngineFailed for anything else."""
    decoder = msgspec.json.Decoder(kind)

    def read(body: bytes) -> int:
        try:
            return tell(decoder.decode(body))
        except UNREADABLE:
            raise EngineFailed from None

    return read
