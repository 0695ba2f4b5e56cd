"""Speech faster or slower, at the same pitch."""

from fractions import Fraction

import av
import numpy as np
from av.filter import Graph

#: What FFmpeg's filter does in one go at its slowest.
_SLOWEST = 0.5


class Tempo:
    """Samples in, fewer or more samples out."""

    def __init__(self, factor: float, rate: int) -> None:
        """`factor` is how many times faster; `rate` is samples a second."""
        self._rate = rate
        self._count = 0
        self._graph = _graph(factor, rate)

    def add(self, samples: np.ndarray) -> np.ndarray:
        """What is ready."""
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="flt", layout="mono")
        frame.sample_rate = self._rate
        frame.time_base = Fraction(1, self._rate)
        frame.pts = self._count
        self._count += len(samples)
        self._graph.push(frame)
        return self._pulled()

    def rest(self) -> np.ndarray:
        """What was still inside."""
        self._graph.push(None)
        return self._pulled()

    def _pulled(self) -> np.ndarray:
        found = [np.zeros(0, np.float32)]
        while True:
            try:
                frame = self._graph.pull()
            except (av.BlockingIOError, av.EOFError):
                return np.concatenate(found)
            assert isinstance(frame, av.AudioFrame)
            found.append(frame.to_ndarray()[0])


def _graph(factor: float, rate: int) -> Graph:
    graph = Graph()
    chain = [
        graph.add_abuffer(
            format="flt", sample_rate=rate, layout="mono", time_base=Fraction(1, rate)
        )
    ]
    while factor < _SLOWEST:
        chain.append(graph.add("atempo", str(_SLOWEST)))
        factor /= _SLOWEST
    chain += [graph.add("atempo", f"{factor:g}"), graph.add("abuffersink")]
    graph.link_nodes(*chain).configure()
    return graph
