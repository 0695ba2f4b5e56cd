"""Splitting long recordings into chunks at quiet places. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from oxlo.engines.audio.resampling import RATE

#: The longest chunk: ten minutes, in samples.
LONGEST = 600 * RATE
#: The cut is searched in the last 20 seconds of a chunk, for half a second of quiet.
_TAIL = 20 * RATE
_QUIET = RATE // 2
_HOP = RATE // 50


@dataclass(frozen=True, slots=True)
class Chunk:
    """Mono float32 samples in [-1, 1], and the time in seconds at which they begin."""

    samples: np.ndarray
    begin: float


class Chunker:
    """Collects samples until a chunk is complete."""

    def __init__(self) -> None:
        self._held: list[np.ndarray] = []
        self._count = 0
        self._done = 0

    @property
    def seconds(self) -> float:
        """Duration of everything added so far."""
        return (self._done + self._count) / RATE

    def add(self, samples: np.ndarray) -> Iterator[Chunk]:
        """Add samples; yields the chunks that are now complete."""
        self._held.append(samples)
        self._count += len(samples)
        while self._count > LONGEST:
            joined = np.concatenate(self._held)
            cut = quietest(joined[:LONGEST])
            yield self._chunk(joined[:cut])
            self._held, self._count = [joined[cut:]], self._count - cut

    def finish(self) -> Iterator[Chunk]:
        """Yield the last chunk."""
        if self._count:
            yield self._chunk(np.concatenate(self._held))

    def _chunk(self, samples: np.ndarray) -> Chunk:
        begin = self._done / RATE
        self._done += len(samples)
        return Chunk(samples.astype(np.float32) / 32768.0, begin)


def quietest(samples: np.ndarray) -> int:
    """Index of the best cut near the end: the middle of the quietest half second."""
    tail = samples[-_TAIL:].astype(np.float32)
    hops = len(tail) // _HOP
    energy = np.square(tail[: hops * _HOP]).reshape(hops, _HOP).mean(axis=1)
    width = _QUIET // _HOP
    quiet = np.convolve(energy, np.ones(width), "valid")
    return len(samples) - len(tail) + (int(quiet.argmin()) + width // 2) * _HOP
