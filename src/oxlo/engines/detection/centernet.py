"""What CenterNet models tell: for each class a map of how likely a thing's middle is there."""

from collections.abc import Sequence

import numpy as np

from oxlo.engines.detection.boxes import Boxes, Floats

#: Of the graph, in the order in which they are read here.
OUTPUTS = ("tower_0/keypoints", "tower_0/wh")
#: Pixels of the input to one of a map.
_STRIDE = 4


def boxes(outputs: Sequence[Floats], least: float) -> Boxes:
    """The boxes with a score of at least `least`, in pixels of the model's input.

    A model tells (1, classes, height, width) of scores, and (1, 4, height, width) of distances
    from a middle to the left, the top, the right and the bottom.
    """
    scores, distances = outputs[0][0], outputs[1][0]
    classes, rows, columns = np.nonzero((scores >= least) & (scores == _highest_around(scores)))
    middles = np.stack([columns, rows], 1).astype(np.float32) * _STRIDE
    sides = distances[:, rows, columns].T
    corners = np.concatenate([middles - sides[:, :2], middles + sides[:, 2:]], 1)
    return Boxes(corners, scores[classes, rows, columns], classes)


def _highest_around(scores: Floats) -> Floats:
    """The highest score at each place and its eight neighbours."""
    padded = np.pad(scores, ((0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    rows = np.maximum(np.maximum(padded[:, :-2], padded[:, 1:-1]), padded[:, 2:])
    return np.maximum(np.maximum(rows[:, :, :-2], rows[:, :, 1:-1]), rows[:, :, 2:])
