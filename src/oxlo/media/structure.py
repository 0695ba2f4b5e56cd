"""The number of parts that an image file consists of.

Decoders take time for each of them, some also memory: a progressive JPEG of a few hundred KB whose
thousands of scans each run over all pixels takes hours. Images as programs write them have few.
"""

import re
import struct

#: Limit of PNG chunks, JPEG markers, GIF blocks, and of stray bytes between them.
MOST_PARTS = 65_536
#: Limit of a JPEG's scans. Encoders write up to a dozen.
MOST_SCANS = 64

#: JPEG markers, except restarts and escaped bytes, which are part of a scan.
_MARKER = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])")
_SOS, _EOI = 0xDA, 0xD9
#: Markers without a length.
_BARE = frozenset({0x01, 0xC8, 0xD8, _EOI, *range(0xF0, 0xFE)})
_GIF_EXTENSION, _GIF_IMAGE, _GIF_END = b"!", b",", b";"


class TooManyParts(Exception):
    """An image of more parts than any program writes; the message says of which."""


def check(kind: str, data: bytes) -> None:
    """Count the parts of an image; those of a damaged one as far as it goes.

    Raises TooManyParts. WebP needs no check: its parts cost a decoder next to nothing.
    """
    match kind:
        case "image/png":
            _check_png(data)
        case "image/jpeg":
            _check_jpeg(data)
        case "image/gif":
            _check_gif(data)


def _check_png(data: bytes) -> None:
    at, parts = 8, 0
    while at + 8 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        at += 12 + length
        parts = _counted(parts + 1)


def _check_jpeg(data: bytes) -> None:
    at, parts, scans = 2, 0, 0
    while found := _MARKER.search(data, at):
        marker = found[1][0]
        # Before the first scan, decoders look at each stray byte.
        parts = _counted(parts + 1 + (0 if scans else found.start() - at))
        if marker == _EOI and scans:
            return
        at = found.end() + (0 if marker in _BARE else _segment_length(data, found.end()))
        scans += marker == _SOS
        if scans > MOST_SCANS:
            raise TooManyParts(f"more than {MOST_SCANS} scans")


def _segment_length(data: bytes, at: int) -> int:
    return max(2, int.from_bytes(data[at : at + 2], "big"))


def _check_gif(data: bytes) -> None:
    """Count what precedes the first frame; later ones are not decoded."""
    at, parts = 13 + _palette_bytes(data[10:11]), 0
    while (block := data[at : at + 1]) and block not in (_GIF_IMAGE, _GIF_END):
        at += 2 if block == _GIF_EXTENSION else 1
        while block == _GIF_EXTENSION and (size := data[at : at + 1]) > b"\0":
            at += 1 + size[0]
            parts = _counted(parts + 1)
        at += block == _GIF_EXTENSION
        parts = _counted(parts + 1)


def _palette_bytes(flags: bytes) -> int:
    """Size of the global palette: three bytes for each of 2 to 256 colours."""
    return 3 << (flags[0] & 7) + 1 if flags and flags[0] & 0x80 else 0


def _counted(parts: int) -> int:
    if parts > MOST_PARTS:
        raise TooManyParts(f"more than {MOST_PARTS:,} parts")
    return parts
