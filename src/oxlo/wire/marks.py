"""Marks: hashes of a prompt's prefixes, by which prompts that share a prefix are recognised.

There is a mark at the end of each part and after every kilobyte of a long one; its position depends
only on what precedes it. Its high bits are the prefix's length in bytes, its low bits their hash.
"""

from collections.abc import Iterable
from typing import Final
from zlib import crc32

#: Bytes between marks within a long part; larger beyond the beginning of a prompt.
STEP: Final = 1024
_FIRST_PART: Final = 32_768
_RARER: Final = 8_192
#: A part that ends sooner after a mark gets none: so short a prefix is not worth caching.
LEAST: Final = 256
#: Bytes of a prompt to consider.
_ENOUGH: Final = 1 << 20


def marks(turns: Iterable[bytes]) -> list[int]:
    """The marks of a prompt's parts, shortest prefix first; at least one."""
    found: list[int] = []
    size = marked = crc = 0
    for turn in turns:
        at = 0
        while at < len(turn):
            piece = turn[at : at + (STEP if size < _FIRST_PART else _RARER)]
            at += len(piece)
            size += len(piece)
            crc = crc32(piece, crc)
            if size - marked >= LEAST:
                found.append(size << 32 | crc)
                marked = size
        if size >= _ENOUGH:
            break
    return found or [size << 32 | crc]


def length(mark: int) -> int:
    """Length in bytes of a mark's prefix."""
    return mark >> 32
