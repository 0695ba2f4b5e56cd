"""Errors about an uploaded recording; all are 400 with `param` 'file'."""

import contextlib
from collections.abc import Iterator

import av

from oxlo.errors import BadRequest

FORMATS = "flac, m4a, mp3, mp4, mpeg, mpga, oga, ogg, wav, webm"


@contextlib.contextmanager
def from_ffmpeg() -> Iterator[None]:
    """Translate FFmpeg's exceptions."""
    try:
        yield
    except (av.FFmpegError, ValueError, IndexError):
        raise unreadable() from None


def unreadable() -> BadRequest:
    """Not audio, or damaged."""
    return BadRequest(
        "The file cannot be read as audio: it is empty, damaged, cut off, or of another format. "
        f"Send a whole file: {FORMATS}.",
        param="file",
        code="invalid_audio",
    )


def no_audio_track() -> BadRequest:
    """A video without sound, for example."""
    return BadRequest("The file holds no audio track.", param="file", code="invalid_audio")


def unsupported_rate(rate: int) -> BadRequest:
    """The header is damaged, or forged."""
    return BadRequest(
        f"The file says that it holds {rate} samples a second; 4,000 to 384,000 are taken.",
        param="file",
        code="invalid_audio",
    )


def truncated(declared: float, found: float) -> BadRequest:
    """The upload ended early."""
    return BadRequest(
        f"The file is cut off: its header declares {declared:.1f} seconds, and it has {found:.1f}. "
        "Upload all of it.",
        param="file",
        code="truncated_audio",
    )


def too_short(found: float, least: float) -> BadRequest:
    """Too short to contain speech."""
    return BadRequest(
        f"The recording lasts {found:.2f} seconds; it has to last at least {least:g}.",
        param="file",
        code="audio_too_short",
    )


def too_long(seconds: float, longest: float) -> BadRequest:
    """Over the plan's or the model's limit."""
    return BadRequest(
        f"The recording lasts {_over(seconds, longest)}; at most {_length(longest)} are allowed "
        "here. Send it in pieces.",
        param="file",
        code="audio_too_long",
        audio_seconds=round(seconds, 1),
        allowed_seconds=longest,
    )


def _over(seconds: float, longest: float) -> str:
    """At least `seconds`; decoding stops soon after the limit, so both may read the same."""
    found, allowed = _length(seconds), _length(longest)
    return f"{found} or more" if found != allowed else f"more than {allowed}"


def _length(seconds: float) -> str:
    return f"{seconds:.0f} seconds" if seconds < 120 else f"{seconds / 60:.3g} minutes"
