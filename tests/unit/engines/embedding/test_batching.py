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


def test_alike_texts_share_a_run() -> None:
    """Whosever they are."""
    assert lengths([[9, 10], [10], [8, 9]]) == [10, 10, 9, 9, 8]


def test_a_short_text_does_not_pay_for_a_long_one() -> None:
    """Padding that costs more than a run is not made."""
    assert lengths([[3, 100], [90]]) == [100, 90]
    assert lengths([[3, 100], [80]]) == [100]


def test_a_run_has_a_bound() -> None:
    """Progress is seen, others get their turn, and memory stays small."""
    assert lengths([[10] * 100]) == [10] * 51


def test_a_text_longer_than_the_bound_runs_alone() -> None:
    """It is run all the same."""
    assert lengths([[600, 600]]) == [600]


def test_turns_are_kept() -> None:
    """Longer texts of others do not come before the first call's."""
    assert lengths([[5], [500] * 3]) == [5]


@given(LEFT, st.integers(1, 700), st.integers(0, 100))
def test_every_run_is_within_its_costs(left: list[list[int]], batch: int, run: int) -> None:
    """Bounds hold, the first call moves, and no text is taken twice."""
    chosen = choose(left, Costs(batch, run))
    longest = chosen[0].length
    assert longest == left[0][-1]
    assert len(chosen) == 1 or len(chosen) * longest <= batch
    assert sum(longest - piece.length for piece in chosen) <= run
    assert len({(piece.call, piece.place) for piece in chosen}) == len(chosen)
    assert all(left[piece.call][piece.place] == piece.length for piece in chosen)
    assert any(piece.call == 0 for piece in chosen)
