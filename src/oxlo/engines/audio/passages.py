"""Long recordings in passages, cut where it is quiet; pure."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from oxlo.engines.audio.resampling import HEARD

#: Samples of a passage, at most: ten minutes.
LONGEST = 600 * HEARD
#: Where a cut is looked for, at the end of a passage; and how long the quiet should be.
_TAIL = 20 * HEARD
_QUIET = HEARD // 2
_HOP = HEARD // 50


@dataclass(frozen=True, slots=True)
class Passage:
    """One passage: samples from -1 to 1, 32-bit, and where it begins in the recording."""

    samples: np.ndarray
    begin: float


class Passages:
    """Collects samples until there are enough for a passage."""

    def __init__(self) -> None:
        self._held: list[np.ndarray] = []
        self._count = 0
        self._done = 0

    @property
    def seconds(self) -> float:
        """All that was added."""
        return (self._done + self._count) / HEARD

    def add(self, samples: np.ndarray) -> Iterator[Passage]:
        """Passages that are complete now."""
        self._held.append(samples)
        self._count += len(samples)
        while self._count > LONGEST:
            together = np.concatenate(self._held)
            cut = quietest(together[:LONGEST])
            yield self._passage(together[:cut])
            self._held, self._count = [together[cut:]], self._count - cut

    def rest(self) -> Iterator[Passage]:
        """The last passage."""
        if self._count:
            yield self._passage(np.concatenate(self._held))

    def _passage(self, samples: np.ndarray) -> Passage:
        begin = self._done / HEARD
        self._done += len(samples)
        return Passage(samples.astype(np.float32) / 32768.0, begin)


def quietest(samples: np.ndarray) -> int:
    """Where near its end a recording is best cut: the middle of the quietest half second."""
    tail = samples[-_TAIL:].astype(np.float32)
    hops = len(tail) // _HOP
    energy = np.square(tail[: hops * _HOP]).reshape(hops, _HOP).mean(axis=1)
    width = _QUIET // _HOP
    quiet = np.convolve(energy, np.ones(width), "valid")
    return len(samples) - len(tail) + (int(quiet.argmin()) + width // 2) * _HOP
