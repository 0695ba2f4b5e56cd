"""Time stretching: faster or slower speech at the same pitch."""

from fractions import Fraction

import av
import numpy as np
from av.filter import Graph

#: The lowest factor of one `atempo` filter.
_SLOWEST = 0.5


class Tempo:
    """Mono float32 samples in, fewer or more of them out."""

    def __init__(self, factor: float, rate: int) -> None:
        """`factor` above 1 is faster; `rate` is the sample rate, Hz."""
        self._rate = rate
        self._count = 0
        self._graph = _graph(factor, rate)

    def add(self, samples: np.ndarray) -> np.ndarray:
        """Add samples; returns those that are ready."""
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="flt", layout="mono")
        frame.sample_rate = self._rate
        frame.time_base = Fraction(1, self._rate)
        frame.pts = self._count
        self._count += len(samples)
        self._graph.push(frame)
        return self._pulled()

    def finish(self) -> np.ndarray:
        """Flush the filter."""
        self._graph.push(None)
        return self._pulled()

    def _pulled(self) -> np.ndarray:
        pulled = [np.zeros(0, np.float32)]
        while True:
            try:
                frame = self._graph.pull()
            except (av.BlockingIOError, av.EOFError):
                return np.concatenate(pulled)
            assert isinstance(frame, av.AudioFrame)
            pulled.append(frame.to_ndarray()[0])


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
