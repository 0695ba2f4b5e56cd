"""Marks of a prompt: one number for each of its beginnings, so that prompts which share one meet.

A mark stands at the end of a turn, and after each kilobyte of a long one; where it stands depends
on nothing that comes after it. Its high bits are the bytes before it, its low ones their hash.
"""

from collections.abc import Iterable
from typing import Final
from zlib import crc32

#: Bytes between two marks of a long turn; beyond the first part of a prompt, they are rarer.
STEP: Final = 1024
_FIRST_PART: Final = 32_768
_RARER: Final = 8_192
#: Turns that end sooner after a mark get none: a shared beginning that short is worth nothing.
LEAST: Final = 256
#: What follows after so many bytes tells nothing more.
_ENOUGH: Final = 1 << 20


def marks(turns: Iterable[bytes]) -> list[int]:
    """The marks of what is said turn after turn, shortest beginning first; at least one."""
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
    """Bytes of the beginning that a mark stands for."""
    return mark >> 32
