"""Long recordings are cut where it is quiet, and nothing is lost."""

import numpy as np

from oxlo.engines.audio.chunks import LONGEST, Chunk, Chunker, quietest
from oxlo.engines.audio.resampling import RATE


def noise(seconds: int) -> np.ndarray:
    return np.random.default_rng(1).integers(-9000, 9000, seconds * RATE).astype(np.int16)


def cut(*pieces: np.ndarray) -> list[Chunk]:
    cutting = Chunker()
    return [p for piece in pieces for p in cutting.add(piece)] + list(cutting.finish())


def test_a_cut_is_made_where_it_is_quiet() -> None:
    """In the middle of the pause."""
    samples = noise(30)
    samples[20 * RATE : 21 * RATE] = 0
    assert 20.2 * RATE < quietest(samples) < 20.8 * RATE


def test_nothing_is_lost() -> None:
    """Chunker joined are what was added, and say where they begin."""
    told = noise(25 * 60)
    found = cut(*np.array_split(told, 100))
    joined = np.concatenate([chunk.samples for chunk in found])
    assert np.array_equal((joined * 32768).astype(np.int16), told)
    lengths = [len(chunk.samples) for chunk in found]
    assert all(length <= LONGEST for length in lengths)
    begins = [0, *np.cumsum(lengths)[:-1]]
    assert [chunk.begin for chunk in found] == [begin / RATE for begin in begins]
    assert len(found) == 3


def test_a_short_one_is_one_passage() -> None:
    """Most recordings are."""
    (chunk,) = cut(noise(5))
    assert chunk.begin == 0
    assert len(chunk.samples) == 5 * RATE


def test_silence_is_no_passage() -> None:
    """Where nothing was decoded there is nothing to hear."""
    assert cut() == []
