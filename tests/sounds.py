"""Generated audio files for tests."""

import io
from collections.abc import Mapping
from fractions import Fraction

import av
import numpy as np

#: (container, codec, sample rate) by file extension.
KINDS = {
    "aac": ("adts", "aac", 24000),
    "flac": ("flac", "flac", 24000),
    "m4a": ("ipod", "aac", 24000),
    "mp3": ("mp3", "libmp3lame", 24000),
    "ogg": ("ogg", "libopus", 48000),
    "wav": ("wav", "pcm_s16le", 24000),
    "webm": ("webm", "libopus", 48000),
}


def tone(seconds: float, rate: int = 24000) -> np.ndarray:
    """A quiet 440 Hz tone."""
    at = np.arange(int(seconds * rate)) / rate
    return (0.2 * np.sin(2 * np.pi * 440 * at)).astype(np.float32)


def silence(minutes: int) -> bytes:
    """A FLAC file of silence; hours of it are a few hundred kilobytes."""
    buffer = io.BytesIO()
    minute = np.zeros((1, 60 * 8000), np.int16)
    with av.open(buffer, "w", format="flac") as out:
        stream = out.add_stream("flac", rate=8000, layout="mono")
        for number in range(minutes):
            frame = av.AudioFrame.from_ndarray(minute, format="s16", layout="mono")
            frame.sample_rate, frame.pts = 8000, number * minute.size
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return buffer.getvalue()


def decoded(data: bytes, rate: int = 24000) -> np.ndarray:
    """Decode all samples of a file."""
    resampler = av.AudioResampler("flt", "mono", rate)
    with av.open(io.BytesIO(data)) as container:
        frames = [*container.decode(audio=0), None]
        samples = [
            resampled.to_ndarray()[0] for frame in frames for resampled in resampler.resample(frame)
        ]
    return np.concatenate(samples)


def encoded(
    samples: np.ndarray, kind: str, options: Mapping[str, str] | None = None, rate: int = 24000
) -> bytes:
    """Encode a file of this type; `options` are the container's."""
    container, codec, own = KINDS[kind]
    buffer = io.BytesIO()
    frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="flt", layout="mono")
    frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), 0
    with av.open(buffer, "w", format=container, options=dict(options or {})) as out:
        stream = out.add_stream(codec, rate=own, layout="mono")
        resampler = av.AudioResampler(stream.format, "mono", own)
        for piece in (frame, None):
            for resampled in resampler.resample(piece):
                out.mux(stream.encode(resampled))
        out.mux(stream.encode(None))
    return buffer.getvalue()
