"""Samples become files of every format, while they are made."""

import io

import av
import numpy as np
import pytest
from tests.sounds import tone

from oxlo.engines.audio.encoder import FORMATS, Encoder
from oxlo.engines.audio.recording import Recording
from oxlo.engines.audio.tempo import Tempo
from oxlo.wire.speech import MEDIA_TYPES

RATE = 24_000
#: First bytes, and the decoder that reads what follows.
MAGIC = {
    "mp3": (b"ID3", "mp3float"),
    "opus": (b"OggS", "opus"),
    "aac": (b"\xff\xf1", "aac"),
    "flac": (b"fLaC", "flac"),
    "wav": (b"RIFF", "pcm_s16le"),
}


def encoded(form: str, seconds: float = 2.0) -> list[bytes]:
    """The pieces of a file, as its samples come in halves."""
    encoder = Encoder(FORMATS[form], RATE)
    halves = np.array_split(tone(seconds, RATE), 2)
    return [*map(encoder.add, halves), encoder.finish()]


def test_all_formats_are_written() -> None:
    """Each that the API names."""
    assert FORMATS.keys() == MEDIA_TYPES.keys()


@pytest.mark.parametrize("form", MAGIC)
def test_a_file_is_what_it_says(form: str) -> None:
    """By its first bytes, its decoder and its length."""
    data = b"".join(encoded(form))
    magic, codec = MAGIC[form]
    assert data.startswith(magic)
    with av.open(io.BytesIO(data)) as container:
        assert container.streams.audio[0].codec_context.name == codec
        heard = sum(f.samples / f.sample_rate for f in container.decode(audio=0))
    assert heard == pytest.approx(2.0, abs=0.1)


def test_pcm_has_no_header() -> None:
    """16 bits, little-endian, 24,000 a second."""
    samples = np.frombuffer(b"".join(encoded("pcm")), "<i2")
    assert np.allclose(samples / 32768, tone(2.0, RATE), atol=1e-3)


@pytest.mark.parametrize("form", FORMATS)
def test_half_of_the_samples_are_most_of_half_a_file(form: str) -> None:
    """What was spoken is sent, not held until the end."""
    first, second, end = encoded(form)
    assert len(first) > 0.3 * len(first + second + end)


@pytest.mark.parametrize("form", ["mp3", "opus", "aac", "flac", "wav"])
def test_what_we_say_we_can_hear(form: str) -> None:
    """Our own files are whole to our own reader: headers of streams promise no length."""
    assert Recording(io.BytesIO(b"".join(encoded(form))), 10).seconds == pytest.approx(2, abs=0.2)


@pytest.mark.parametrize("factor", [0.25, 0.5, 1.5, 2.0, 4.0])
def test_tempo(factor: float) -> None:
    """So many times faster, and the same note."""
    tempo = Tempo(factor, RATE)
    samples = np.concatenate([*map(tempo.add, np.array_split(tone(2.0, RATE), 4)), tempo.finish()])
    assert len(samples) / RATE == pytest.approx(2.0 / factor, rel=0.1)
    middle = samples[len(samples) // 4 : -len(samples) // 4]
    loudest = np.abs(np.fft.rfft(middle)).argmax() * RATE / len(middle)
    assert loudest == pytest.approx(440, rel=0.02)
