"""Decoding CenterNet: one heat map of object centres for each class."""

from collections.abc import Sequence

import numpy as np

from oxlo.engines.detection.boxes import Boxes, Floats

#: Outputs of the graph, in the order of `boxes`.
OUTPUTS = ("tower_0/keypoints", "tower_0/wh")
#: Input pixels for each cell of a heat map.
_STRIDE = 4


def boxes(outputs: Sequence[Floats], least: float) -> Boxes:
    """Boxes with a score of at least `least`, in pixels of the model's input.

    Outputs are scores (1, classes, height, width) and distances (1, 4, height, width) from a centre
    to the left, top, right and bottom.
    """
    scores, distances = outputs[0][0], outputs[1][0]
    classes, rows, columns = np.nonzero((scores >= least) & (scores == _neighbourhood_max(scores)))
    centres = np.stack([columns, rows], 1).astype(np.float32) * _STRIDE
    extents = distances[:, rows, columns].T
    corners = np.concatenate([centres - extents[:, :2], centres + extents[:, 2:]], 1)
    return Boxes(corners, scores[classes, rows, columns], classes)


def _neighbourhood_max(scores: Floats) -> Floats:
    """3x3 max pooling, stride 1."""
    padded = np.pad(scores, ((0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    rows = np.maximum(np.maximum(padded[:, :-2], padded[:, 1:-1]), padded[:, 2:])
    return np.maximum(np.maximum(rows[:, :, :-2], rows[:, :, 1:-1]), rows[:, :, 2:])
