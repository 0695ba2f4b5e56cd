"""What to tell whoever sent a file that is no good: all of it is a 400 about `file`."""

import contextlib
from collections.abc import Iterator

import av

from oxlo.errors import BadRequest

FORMATS = "flac, m4a, mp3, mp4, mpeg, mpga, oga, ogg, wav, webm"


@contextlib.contextmanager
def of_ffmpeg() -> Iterator[None]:
    """Translate what FFmpeg raises about a file."""
    try:
        yield
    except (av.FFmpegError, ValueError, IndexError):
        raise unreadable() from None


def unreadable() -> BadRequest:
    """Not audio, or broken beyond reading."""
    return BadRequest(
        f"The file cannot be read as audio. Send one of: {FORMATS}.",
        param="file",
        code="invalid_audio",
    )


def silent_film() -> BadRequest:
    """A container without any audio."""
    return BadRequest("The file holds no audio track.", param="file", code="invalid_audio")


def strange_rate(rate: int) -> BadRequest:
    """Numbers that no recorder writes."""
    return BadRequest(
        f"The file says that it holds {rate} samples a second; 4,000 to 384,000 are taken.",
        param="file",
        code="invalid_audio",
    )


def cut_off(told: float, found: float) -> BadRequest:
    """An upload that lacks its end."""
    return BadRequest(
        f"The file is cut off: it says that it lasts {told:.1f} seconds, and holds {found:.1f}. "
        "Upload all of it.",
        param="file",
        code="truncated_audio",
    )


def too_short(found: float, least: float) -> BadRequest:
    """Nothing could be said in it."""
    return BadRequest(
        f"The recording lasts {found:.2f} seconds; it has to last at least {least:g}.",
        param="file",
        code="audio_too_short",
    )


def too_long(seconds: float, longest: float) -> BadRequest:
    """More than is allowed."""
    return BadRequest(
        f"The recording lasts {_length(seconds)} or more; at most {_length(longest)} are allowed "
        "here. Send it in pieces.",
        param="file",
        code="audio_too_long",
        audio_seconds=round(seconds, 1),
        allowed_seconds=longest,
    )


def _length(seconds: float) -> str:
    return f"{seconds:.0f} seconds" if seconds < 120 else f"{seconds / 60:.3g} minutes"
