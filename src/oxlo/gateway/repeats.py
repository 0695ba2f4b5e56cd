"""Heads that repeat, and so need not be parsed again.

Who keeps a connection sends the same head over and over; only the length of the body differs. A
message that begins byte for byte like one that was parsed, but for those digits, means the same.
"""

from typing import Final

#: A longer head is not kept: every connection has one.
_LONGEST: Final = 4096
_LENGTH: Final = b"\r\ncontent-length:"
#: More digits than these are left to the parser; no body of so many bytes comes in one read.
_DIGITS: Final = 8


class Repeat:
    """The bytes of a head, before and after the digits of its body's length."""

    __slots__ = ("_after", "_before", "_headers")

    def __init__(self, before: bytes, after: bytes, headers: dict[bytes, bytes]) -> None:
        self._before = before
        self._after = after
        self._headers = headers

    def body_of(self, data: bytes) -> int:
        """Where the body begins in a whole message that has this head; -1: it has not."""
        before, after = self._before, self._after
        start = len(before)
        if data[:start] != before:
            return -1
        size, at = 0, start
        while at < len(data) and at - start < _DIGITS:
            digit = data[at] - 0x30
            if digit < 0 or digit > 9:
                break
            size = size * 10 + digit
            at += 1
        begin = at + len(after)
        if at == start or len(data) - begin != size or data[at:begin] != after:
            return -1
        return begin

    def headers(self, data: bytes, begin: int) -> dict[bytes, bytes]:
        """The headers of a message that has this head, and whose body begins there."""
        headers = self._headers.copy()
        headers[b"content-length"] = data[len(self._before) : begin - len(self._after)]
        return headers


def halves(data: bytes, size: int) -> tuple[bytes, bytes] | None:
    """The head of a whole message with a body of `size` bytes, around the digits of that number.

    None where it is not written as usual, or is long.
    """
    end = len(data) - size
    if end > _LONGEST:
        return None
    head = data[:end]
    start = head.lower().find(_LENGTH) + len(_LENGTH)
    if head[start : start + 1] == b" ":
        start += 1
    digits = b"%d\r\n" % size
    stop = start + len(digits)
    if start < len(_LENGTH) or head[start:stop] != digits:
        return None
    return head[:start], head[stop - 2 :]
