"""Boxes that overlap, and those that remain."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from oxlo.engines.detection.boxes import Boxes, iou, suppress


def boxes(*rows: tuple[float, float, float, float, float, int]) -> Boxes:
    """(left, top, right, bottom, score, class) each."""
    table = np.array(rows, np.float32).reshape(-1, 6)
    return Boxes(table[:, :4], table[:, 4], table[:, 5].astype(np.int64))


def test_overlap() -> None:
    """Intersection over union: the same, half, a corner, none, and nothing at all."""
    one = np.array([0, 0, 2, 2], np.float32)
    others = np.array(
        [[0, 0, 2, 2], [0, 0, 2, 1], [1, 1, 3, 3], [2, 2, 3, 3], [1, 1, 1, 1]], np.float32
    )
    assert iou(one, others).tolist() == [1, 0.5, np.float32(1 / 7), 0, 0]


def test_one_box_to_a_thing() -> None:
    """The surest stays, and things of other classes at the same place."""
    found = boxes((0, 0, 10, 10, 0.8, 1), (0, 0, 10, 9, 0.9, 1), (0, 0, 10, 10, 0.5, 2))
    kept = suppress(found, 0.45, 10)
    assert kept.scores.tolist() == np.float32([0.9, 0.5]).tolist()
    assert kept.classes.tolist() == [1, 2]


def test_the_overlap_is_the_callers_choice() -> None:
    """At 1, everything stays."""
    found = boxes((0, 0, 10, 10, 0.8, 1), (0, 0, 10, 9, 0.9, 1))
    assert len(suppress(found, 1, 10).scores) == 2


def test_nothing_found() -> None:
    """No boxes, no error."""
    assert suppress(boxes(), 0.5, 10).corners.shape == (0, 4)


corner = st.floats(0, 100, width=32)
row = st.tuples(corner, corner, corner, corner, st.floats(0, 1, width=32), st.integers(0, 2))


@given(st.lists(row, max_size=30), st.floats(0, 1), st.integers(1, 20))
def test_what_remains(rows: list[tuple[float, ...]], overlap: float, most: int) -> None:
    """At most so many, sorted, none like another, and nothing that was let go stands alone."""
    found = boxes(*rows)  # type: ignore[arg-type]
    kept = suppress(found, overlap, most)
    assert len(kept.scores) <= most
    assert kept.scores.tolist() == sorted(kept.scores.tolist(), reverse=True)
    for number in range(len(kept.scores)):
        same = kept.classes == kept.classes[number]
        same[number] = False
        assert not np.any(iou(kept.corners[number], kept.corners[same]) > overlap)
    if len(kept.scores) < most:
        for number in range(len(found.scores)):
            alike = kept.only(kept.classes == found.classes[number])
            gone = not np.any(np.all(alike.corners == found.corners[number], axis=1))
            assert not gone or np.any(iou(found.corners[number], alike.corners) > overlap)
