"""What models of each family tell, as boxes."""

import numpy as np
import pytest

from oxlo.engines.detection import centernet, yolo
from oxlo.engines.detection.boxes import Floats


def told(*rows: list[float]) -> Floats:
    return np.array([rows], np.float32)


#: Two boxes by middle and size, and the scores of three classes.
SCORED = told(
    [10, 20, 0, 0, 0.1, 0.7, 0.2],
    [50, 60, 4, 8, 0.0, 0.2, 0.1],
    [50, 60, 4, 8, 0.9, 0.0, 0.0],
    *[[0, 0, 0, 0, 0, 0, 0]] * 10,
)


@pytest.mark.parametrize("output", [SCORED.transpose(0, 2, 1), SCORED])
def test_yolo(output: Floats) -> None:
    """Version 8, 9 and 11 tell boxes by columns, some exporters by rows."""
    found = yolo.boxes([output], 0.25)
    assert found.corners.tolist() == [[10, 20, 10, 20], [48, 56, 52, 64]]
    assert found.classes.tolist() == [1, 0]
    assert found.scores.tolist() == np.float32([0.7, 0.9]).tolist()


def test_yolo_that_chose() -> None:
    """Version 10, and exports with their boxes chosen."""
    found = yolo.boxes([told([1, 2, 3, 4, 0.9, 7], [0, 0, 9, 9, 0.1, 2])], 0.25)
    assert found.corners.tolist() == [[1, 2, 3, 4]]
    assert found.classes.tolist() == [7]


def test_centernet() -> None:
    """A peak is a thing; its neighbours are not; four distances make its box."""
    scores, distances = np.zeros((1, 2, 4, 4), np.float32), np.zeros((1, 4, 4, 4), np.float32)
    scores[0, 1, 2, 1], scores[0, 1, 2, 2], scores[0, 0, 0, 3] = 0.8, 0.7, 0.3
    distances[0, :, 2, 1] = [1, 2, 3, 4]
    found = centernet.boxes([scores, distances], 0.25)
    assert found.classes.tolist() == [0, 1]
    assert found.corners.tolist() == [[12, 0, 12, 0], [3, 6, 7, 12]]
    assert len(centernet.boxes([scores, distances], 0.5).scores) == 1
