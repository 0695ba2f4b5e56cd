"""From whatever a file holds to what a model hears: one channel, 16,000 samples a second."""

from collections.abc import Iterator

import numpy as np
from av import AudioFrame
from av.audio.resampler import AudioResampler

#: Samples a second that speech models hear.
HEARD = 16_000


class Resampler:
    """Frames in, 16-bit samples out. Streams may change their format on the way."""

    def __init__(self) -> None:
        self._resampler: AudioResampler | None = None
        self._format: tuple[str, str, int] | None = None

    def add(self, frame: AudioFrame) -> Iterator[np.ndarray]:
        """What one more frame gives."""
        found = (frame.format.name, frame.layout.name, frame.sample_rate)
        if found != self._format:
            yield from self.rest()
            self._format = found
            self._resampler = AudioResampler(format="s16", layout="mono", rate=HEARD)
        assert self._resampler is not None
        frame.pts = None  # gaps and jumps in a file's times are none in its sound
        for made in self._resampler.resample(frame):
            yield made.to_ndarray()[0]

    def rest(self) -> Iterator[np.ndarray]:
        """What was still inside."""
        if self._resampler is not None:
            for made in self._resampler.resample(None):
                yield made.to_ndarray()[0]
            self._resampler = None
