"""Files that strangers send: measured, decoded, and refused where they are no good."""

import io
import struct

import numpy as np
import pytest
from tests.sounds import KINDS, encoded, tone

from oxlo.engines.audio.recording import Recording
from oxlo.errors import BadRequest

SECONDS = 3.0


def heard(data: bytes, longest: float | None = 60) -> np.ndarray:
    """All samples of a file."""
    chunks = Recording(io.BytesIO(data), longest).chunks()
    return np.concatenate([chunk.samples for chunk in chunks])


def refusal(data: bytes, longest: float | None = 60) -> BadRequest:
    with pytest.raises(BadRequest) as refused:
        heard(data, longest)
    assert refused.value.param == "file"
    return refused.value


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_is_heard(kind: str) -> None:
    """One channel, 16,000 samples a second, as loud as it was."""
    samples = heard(encoded(tone(SECONDS), kind))
    assert samples.dtype == np.float32
    assert len(samples) / 16_000 == pytest.approx(SECONDS, abs=0.1)
    assert np.sqrt(np.mean(samples**2)) == pytest.approx(0.2 / np.sqrt(2), rel=0.05)


@pytest.mark.parametrize("kind", KINDS)
def test_half_an_upload(kind: str) -> None:
    """Where the header tells the length, the missing end is noticed; elsewhere half is heard."""
    data = encoded(tone(SECONDS), kind)
    half = data[: len(data) // 2]
    if kind in ("aac", "ogg"):
        assert len(heard(half)) / 16_000 == pytest.approx(SECONDS / 2, abs=0.6)
    else:
        error = refusal(half)
        assert error.error_code in ("truncated_audio", "invalid_audio")
        assert "cut off" in error.message


def test_headers_that_promise_nothing() -> None:
    """A WAV that was streamed, and an MP3 without a count of frames, are whole as they are."""
    wav = encoded(tone(SECONDS), "wav")
    streamed = wav[:4] + struct.pack("<I", 0xFFFFFFFF) + wav[8:]
    assert len(heard(streamed)) / 16_000 == pytest.approx(SECONDS, abs=0.1)
    mp3 = encoded(tone(SECONDS), "mp3", {"write_xing": "0"})
    assert len(heard(mp3[: len(mp3) // 2])) / 16_000 == pytest.approx(SECONDS / 2, abs=0.2)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"This is a text, whatever its name says. " * 50,
        b"RIFF" + b"\0" * 100,
        b"#EXTM3U\n#EXTINF:9\nfile:///etc/hostname\n",
        b"ffconcat version 1.0\nfile /etc/hostname\n",
        b"\x89PNG\r\n\x1a\n" + b"\0" * 100,
    ],
)
def test_what_is_no_audio(data: bytes) -> None:
    """Refused with what is taken; lists of addresses are not followed."""
    error = refusal(data)
    assert error.error_code == "invalid_audio"
    assert "mp3" in error.message


def test_a_broken_packet_is_a_click() -> None:
    """Damage in the middle of a file does not end it."""
    data = bytearray(encoded(tone(SECONDS), "aac"))
    middle = len(data) // 2
    data[middle : middle + 40] = bytes(40)
    assert len(heard(bytes(data))) / 16_000 == pytest.approx(SECONDS, abs=0.5)


def test_too_long_is_refused_by_its_header() -> None:
    """Both lengths are named, and nothing is decoded."""
    flac = bytearray(encoded(tone(SECONDS), "flac"))
    flac[22:26] = (7200 * 24000).to_bytes(4, "big")  # the count of samples in its header
    error = refusal(bytes(flac), longest=600)
    assert error.error_code == "audio_too_long"
    assert "120 minutes" in error.message
    assert "10 minutes" in error.message
    assert error.extra == {"audio_seconds": 7200.0, "allowed_seconds": 600}


def test_a_little_too_long() -> None:
    """A length that reads like the limit is more than that."""
    flac = bytearray(encoded(tone(SECONDS), "flac"))
    flac[22:26] = (7203 * 24000).to_bytes(4, "big")
    assert "lasts more than 120 minutes; at most 120 minutes" in refusal(bytes(flac), 7200).message


def test_too_long_without_a_header() -> None:
    """Where the length is not told, packets are counted, up to the limit."""
    error = refusal(encoded(tone(SECONDS), "aac"), longest=1)
    assert error.extra["audio_seconds"] == pytest.approx(2, abs=0.2)


def test_padding_is_no_recording() -> None:
    """A file is not refused for what its encoder added."""
    assert len(heard(encoded(tone(SECONDS), "mp3"), longest=SECONDS))


def test_too_short() -> None:
    """Nothing can be said in twenty milliseconds."""
    assert refusal(encoded(tone(0.02), "wav")).error_code == "audio_too_short"


def test_a_rate_that_nobody_records() -> None:
    """One sample a second would be hours of nothing."""
    wav = bytearray(encoded(tone(SECONDS), "wav"))
    wav[24:28] = struct.pack("<I", 1)
    assert refusal(bytes(wav), longest=None).error_code == "invalid_audio"
