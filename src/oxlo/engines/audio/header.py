"""How long a file says that it is: its end is missing where less is there."""

import struct
from typing import BinaryIO

from av.container import InputContainer

#: Containers whose header tells the length; of others FFmpeg only guesses it.
_TELLING = frozenset({"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "flac"})
#: What a writer says who does not know yet.
_UNKNOWN = (0, 0xFFFFFFFF)
#: Where the first frame of an MP3 file may say how many there are.
_FRAME = 4096


def promised(container: InputContainer, file: BinaryIO) -> float | None:
    """Seconds that the header tells; None where it tells nothing of the audio alone."""
    seconds = (container.duration or 0) / 1e6
    if not seconds or len(container.streams) > len(container.streams.audio):
        return None
    if container.format.name == "wav":
        return seconds * _wav_share(file)
    if container.format.name == "mp3":
        return seconds if _counts_frames(file) else None
    return seconds if container.format.name in _TELLING else None


def _wav_share(file: BinaryIO) -> float:
    """What a WAV file should be, as a multiple of what it is."""
    head, size = _read(file, 0, 8), _size(file)
    told = struct.unpack("<I", head[4:])[0]
    return 1.0 if told in _UNKNOWN else max(1.0, (told + 8) / size)


def _counts_frames(file: BinaryIO) -> bool:
    """Whether an MP3 file begins with the frame that LAME and others add; FFmpeg reads it."""
    head = _read(file, 0, 10)
    tag = sum((byte & 127) << 7 * (3 - i) for i, byte in enumerate(head[6:10])) + 10
    frame = _read(file, tag if head[:3] == b"ID3" else 0, _FRAME)
    return b"Xing" in frame or b"Info" in frame or b"VBRI" in frame


def _read(file: BinaryIO, at: int, count: int) -> bytes:
    """Bytes of the file; where it is read next stays as it was."""
    before = file.tell()
    file.seek(at)
    data = file.read(count)
    file.seek(before)
    return data


def _size(file: BinaryIO) -> int:
    before = file.tell()
    size = file.seek(0, 2)
    file.seek(before)
    return size
