"""Resampling to what speech models take: 16 kHz mono."""

from collections.abc import Iterator

import numpy as np
from av import AudioFrame
from av.audio.resampler import AudioResampler

#: Sample rate of speech models, Hz.
RATE = 16_000


class Resampler:
    """Frames in, int16 samples out; the format may change in the middle of a stream."""

    def __init__(self) -> None:
        self._resampler: AudioResampler | None = None
        self._format: tuple[str, str, int] | None = None

    def add(self, frame: AudioFrame) -> Iterator[np.ndarray]:
        """Resample one more frame."""
        found = (frame.format.name, frame.layout.name, frame.sample_rate)
        if found != self._format:
            yield from self.finish()
            self._format = found
            self._resampler = AudioResampler(format="s16", layout="mono", rate=RATE)
        assert self._resampler is not None
        frame.pts = None  # timestamps may have gaps and jumps that the audio does not have
        for made in self._resampler.resample(frame):
            yield made.to_ndarray()[0]

    def finish(self) -> Iterator[np.ndarray]:
        """Flush the resampler."""
        if self._resampler is not None:
            for made in self._resampler.resample(None):
                yield made.to_ndarray()[0]
            self._resampler = None
