"""The duration that a file's header declares; a file with less audio is truncated."""

import struct
from typing import BinaryIO

from av.container import InputContainer

#: Containers whose header declares the duration; for others FFmpeg estimates it.
_DECLARING = frozenset({"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "flac"})
#: Sizes written by encoders that stream and do not know the size yet.
_UNKNOWN = (0, 0xFFFFFFFF)
#: Bytes in which the first frame of an MP3 file may have a Xing or VBRI header.
_FRAME = 4096


def declared(container: InputContainer, file: BinaryIO) -> float | None:
    """The declared duration in seconds; None if the header has none for the audio alone."""
    seconds = (container.duration or 0) / 1e6
    if not seconds or len(container.streams) > len(container.streams.audio):
        return None
    if container.format.name == "wav":
        return seconds * _wav_ratio(file)
    if container.format.name == "mp3":
        return seconds if _counts_frames(file) else None
    return seconds if container.format.name in _DECLARING else None


def _wav_ratio(file: BinaryIO) -> float:
    """The declared size of a WAV file, relative to its actual size."""
    head, size = _read(file, 0, 8), _size(file)
    size_field = struct.unpack("<I", head[4:])[0]
    return 1.0 if size_field in _UNKNOWN else max(1.0, (size_field + 8) / size)


def _counts_frames(file: BinaryIO) -> bool:
    """Whether an MP3 file has a Xing or VBRI header, from which FFmpeg takes the duration."""
    head = _read(file, 0, 10)
    tag = sum((byte & 127) << 7 * (3 - i) for i, byte in enumerate(head[6:10])) + 10
    frame = _read(file, tag if head[:3] == b"ID3" else 0, _FRAME)
    return b"Xing" in frame or b"Info" in frame or b"VBRI" in frame


def _read(file: BinaryIO, at: int, count: int) -> bytes:
    """Read bytes without moving the file's position."""
    position = file.tell()
    file.seek(at)
    data = file.read(count)
    file.seek(position)
    return data


def _size(file: BinaryIO) -> int:
    position = file.tell()
    size = file.seek(0, 2)
    file.seek(position)
    return size
