"""Captions of boxes: each can be read."""

import itertools

import pytest

from oxlo.engines.detection.captions import Corners, place

SIZE = (40.0, 10.0)
PICTURE = (200, 120)


@pytest.mark.parametrize(
    ("box", "at"),
    [
        ((20, 30, 90, 70), (20, 20)),  # above
        ((20, 5, 90, 70), (20, 5)),  # no room above: in it
        ((190, 30, 200, 70), (160, 20)),  # no room to the right
        ((20, -4, 90, 7), (20, 7)),  # no room above or in it: below
        ((-5, -5, 300, 125), (0, 0)),  # larger than the picture
    ],
)
def test_in_the_picture(box: Corners, at: tuple[float, float]) -> None:
    """Above the box, if there is room."""
    assert place(box, SIZE, PICTURE, []) == (*at, at[0] + SIZE[0], at[1] + SIZE[1])


def test_no_caption_covers_another() -> None:
    """Four boxes may share a place, as those of a thing that could be several do."""
    taken: list[Corners] = []
    for _ in range(4):
        taken.append(place((20, 30, 90, 70), SIZE, PICTURE, taken))
    for one, other in itertools.combinations(taken, 2):
        assert one[3] <= other[1] or other[3] <= one[1]


def test_a_crowd() -> None:
    """Where no place is free, a caption covers another one rather than being left out."""
    taken = [(0.0, 0.0, 200.0, 120.0)]
    assert place((20, 30, 90, 70), SIZE, PICTURE, taken) == (20, 20, 60, 30)
