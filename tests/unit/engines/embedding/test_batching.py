"""Which texts share a run."""

from hypothesis import given
from hypothesis import strategies as st

from oxlo.engines.embedding.batching import Costs, choose

COSTS = Costs(batch=512, run=16)
LEFT = st.lists(
    st.lists(st.integers(1, 600), min_size=1, max_size=40).map(sorted), min_size=1, max_size=6
)


def lengths(left: list[list[int]], costs: Costs = COSTS) -> list[int]:
    return [piece.length for piece in choose(left, costs)]


def test_texts_of_similar_length_share_a_run() -> None:
    """Whichever request they belong to."""
    assert lengths([[9, 10], [10], [8, 9]]) == [10, 10, 9, 9, 8]


def test_a_short_text_does_not_pay_for_a_long_one() -> None:
    """Texts are not padded if that costs more than a separate run."""
    assert lengths([[3, 100], [90]]) == [100, 90]
    assert lengths([[3, 100], [80]]) == [100]


def test_a_run_has_a_bound() -> None:
    """So progress is visible, others get their turn, and memory stays small."""
    assert lengths([[10] * 100]) == [10] * 51


def test_a_text_longer_than_the_bound_runs_alone() -> None:
    """It is not refused."""
    assert lengths([[600, 600]]) == [600]


def test_the_first_request_has_priority() -> None:
    """Longer texts of other requests do not precede its own."""
    assert lengths([[5], [500] * 3]) == [5]


@given(LEFT, st.integers(1, 700), st.integers(0, 100))
def test_every_run_is_within_its_costs(left: list[list[int]], batch: int, run: int) -> None:
    """Limits hold, the first request progresses, and no text is chosen twice."""
    chosen = choose(left, Costs(batch, run))
    longest = chosen[0].length
    assert longest == left[0][-1]
    assert len(chosen) == 1 or len(chosen) * longest <= batch
    assert sum(longest - piece.length for piece in chosen) <= run
    assert len({(piece.request, piece.place) for piece in chosen}) == len(chosen)
    assert all(left[piece.request][piece.place] == piece.length for piece in chosen)
    assert any(piece.request == 0 for piece in chosen)
