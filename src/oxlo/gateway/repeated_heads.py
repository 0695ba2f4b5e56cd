"""Recognition of repeated heads, which saves parsing them.

A client that keeps a connection usually sends the same head again and again; only the body's length
differs. A message whose head equals a parsed one except for those digits has the same meaning.
"""

from typing import Final

#: Longer heads are not stored, because each connection stores one.
_LONGEST: Final = 4096
_LENGTH: Final = b"\r\ncontent-length:"
_END: Final = b"\r\n\r\n"
#: Lengths with more digits are left to the parser; no such body arrives in one read.
_DIGITS: Final = 8


class RepeatedHead:
    """A head's bytes before and after the digits of the body's length."""

    __slots__ = ("_after", "_before", "_headers")

    def __init__(self, before: bytes, after: bytes, headers: dict[bytes, bytes]) -> None:
        self._before = before
        self._after = after
        self._headers = headers

    def body_of(self, data: bytes) -> int:
        """Where the body starts, in a complete message with this head; -1 if it does not match."""
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
        """The headers of a message with this head, whose body starts at `begin`."""
        headers = self._headers.copy()
        headers[b"content-length"] = data[len(self._before) : begin - len(self._after)]
        return headers


def split_head(data: bytes, size: int) -> tuple[bytes, bytes] | None:
    """Split the head of a complete message with a body of `size` bytes around the length's digits.

    None if it is too long, the length is written in an unusual way, or anything follows the body.
    """
    end = len(data) - size
    if end > _LONGEST or data.find(_END) != end - len(_END):
        return None
    head = data[:end]
    name = head.lower().find(_LENGTH)
    if name < 0:
        return None
    start = name + len(_LENGTH)
    if head[start : start + 1] == b" ":
        start += 1
    digits = b"%d\r\n" % size
    stop = start + len(digits)
    if head[start:stop] != digits:
        return None
    return head[:start], head[stop - 2 :]
