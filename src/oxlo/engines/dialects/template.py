"""The fast path for text events, which nearly all of a stream consists of.

These events differ only in their text. Once one has been decoded and encoded, the bytes around its
text are a template: another event with the same bytes around a valid JSON string can differ only in
that string, and so can its translation. This is as exact as decoding it and several times cheaper;
all other events are decoded.
"""

import re
from typing import Final

import msgspec

_encode: Final = msgspec.json.Encoder().encode
#: The inside of a JSON string without `\u` escapes; UTF-8 is checked separately.
_STRING: Final = re.compile(rb'[^"\\\x00-\x1f]*(?:\\["\\/bfnrt][^"\\\x00-\x1f]*)*').fullmatch
#: After this many templates in a row without a match, stop learning: these events differ.
_MOST_MISSES: Final = 16


class EventTemplate:
    """The bytes around the text of the last text event, and of its translation."""

    __slots__ = ("_after", "_before", "_least", "_misses", "_shown_after", "_shown_before")

    def __init__(self) -> None:
        self._before = self._after = self._shown_before = self._shown_after = b""
        self._least = 1 << 62  # longer than any event: no template yet
        self._misses = 0

    def apply(self, event: bytes, end: int) -> bytes | None:
        """Translate the event in the first `end` bytes; None if it has to be decoded."""
        if end < self._least:
            return None
        if not event.startswith(self._before) or not event.endswith(self._after, 0, end):
            return None
        text = event[len(self._before) : end - len(self._after)]
        if _STRING(text) is None or not (text.isascii() or _is_utf8(text)):
            return None
        self._misses = 0
        return b"%b%b%b" % (self._shown_before, text, self._shown_after)

    def learn(self, payload: bytes, text: str, shown: bytes) -> None:
        """Learn from an event's payload, its text, and its translation.

        Call it only if another text would change nothing else in the translation.
        """
        if self._misses >= _MOST_MISSES:
            return
        self._misses += 1
        delta = b'"delta":{"content":%b' % _encode(text)
        before, found, after = payload.partition(delta)
        shown_before, shown_found, shown_after = shown.partition(delta)
        if not found or not shown_found or after[:1] not in _ENDS or delta in after:
            return
        self._before = b'data: %b"delta":{"content":"' % before
        self._after = b'"' + after
        self._shown_before = b'%b"delta":{"content":"' % shown_before
        self._shown_after = b'"' + shown_after
        self._least = len(self._before) + len(self._after)


#: What may follow a value in a JSON object.
_ENDS: Final = (b",", b"}")


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
