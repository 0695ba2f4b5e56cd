"""Encoding audio incrementally, while it is synthesised."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import av
import numpy as np
from av import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream


@dataclass(frozen=True)
class Format:
    """Container and codec of one response format."""

    container: str
    codec: str
    #: Sample rate, Hz.
    rate: int
    #: Options of the muxer.
    options: Mapping[str, str] = field(default_factory=dict)


#: By OpenAI's names. Ogg pages are short, or the first second of opus would wait for the next.
FORMATS = {
    "mp3": Format("mp3", "libmp3lame", 24_000),
    "opus": Format("ogg", "libopus", 48_000, {"page_duration": "200000"}),
    "aac": Format("adts", "aac", 24_000),
    "flac": Format("flac", "flac", 24_000),
    "wav": Format("wav", "pcm_s16le", 24_000),
    "pcm": Format("s16le", "pcm_s16le", 24_000),
}


class _Sink:
    """A buffer that FFmpeg writes to; not seekable, so headers declare no length."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._written.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        data, self._written = b"".join(self._written), []
        return data


class Encoder:
    """One file, from mono float32 samples in [-1, 1]."""

    def __init__(self, form: Format, rate: int) -> None:
        """`rate` is the sample rate of the input, Hz."""
        self._rate = rate
        self._sink = _Sink()
        options = {**form.options, "flush_packets": "1"}
        self._out = av.open(self._sink, "w", format=form.container, options=options)
        stream = self._out.add_stream(form.codec, rate=form.rate, layout="mono")
        assert isinstance(stream, AudioStream)
        self._stream = stream
        self._resampler = AudioResampler(stream.format, "mono", form.rate)
        self._count = 0

    def add(self, samples: np.ndarray) -> bytes:
        """Encode more samples; returns the bytes that are ready."""
        frame = AudioFrame.from_ndarray(samples.reshape(1, -1), format="flt", layout="mono")
        frame.sample_rate = self._rate
        frame.time_base = Fraction(1, self._rate)
        frame.pts = self._count
        self._count += len(samples)
        self._write(frame)
        return self._sink.take()

    def finish(self) -> bytes:
        """Flush the encoder; returns the last bytes."""
        self._write(None)
        self._out.mux(self._stream.encode(None))
        self._out.close()
        return self._sink.take()

    def _write(self, frame: AudioFrame | None) -> None:
        for resampled in self._resampler.resample(frame):
            self._out.mux(self._stream.encode(resampled))
