"""Long recordings are cut where it is quiet, and nothing is lost."""

import numpy as np

from oxlo.engines.audio import passages
from oxlo.engines.audio.passages import LONGEST, Passages, quietest
from oxlo.engines.audio.resampling import HEARD


def noise(seconds: int) -> np.ndarray:
    return np.random.default_rng(1).integers(-9000, 9000, seconds * HEARD).astype(np.int16)


def cut(*pieces: np.ndarray) -> list[passages.Passage]:
    cutting = Passages()
    return [p for piece in pieces for p in cutting.add(piece)] + list(cutting.rest())


def test_a_cut_is_made_where_it_is_quiet() -> None:
    """In the middle of the pause."""
    samples = noise(30)
    samples[20 * HEARD : 21 * HEARD] = 0
    assert 20.2 * HEARD < quietest(samples) < 20.8 * HEARD


def test_nothing_is_lost() -> None:
    """Passages together are what was added, and say where they begin."""
    told = noise(25 * 60)
    found = cut(*np.array_split(told, 100))
    together = np.concatenate([passage.samples for passage in found])
    assert np.array_equal((together * 32768).astype(np.int16), told)
    lengths = [len(passage.samples) for passage in found]
    assert all(length <= LONGEST for length in lengths)
    begins = [0, *np.cumsum(lengths)[:-1]]
    assert [passage.begin for passage in found] == [begin / HEARD for begin in begins]
    assert len(found) == 3


def test_a_short_one_is_one_passage() -> None:
    """Most recordings are."""
    (passage,) = cut(noise(5))
    assert passage.begin == 0
    assert len(passage.samples) == 5 * HEARD


def test_silence_is_no_passage() -> None:
    """Where nothing was decoded there is nothing to hear."""
    assert cut() == []
