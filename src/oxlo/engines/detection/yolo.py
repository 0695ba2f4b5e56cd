"""What YOLO models tell: versions 8, 9, 11 and their like, with or without boxes chosen already."""

from collections.abc import Sequence

import numpy as np

from oxlo.engines.detection.boxes import Boxes, Floats

#: Numbers of a box that was chosen by the model itself: corners, score, class.
_CHOSEN = 6


def boxes(outputs: Sequence[Floats], least: float) -> Boxes:
    """The boxes with a score of at least `least`, in pixels of the model's input.

    A model tells (1, 4 + classes, boxes), with middles and sizes; or, where it chose already,
    (1, boxes, 6).
    """
    told = outputs[0][0].astype(np.float32)
    return _chosen(told, least) if told.shape[1] == _CHOSEN else _scored(told, least)


def _chosen(told: Floats, least: float) -> Boxes:
    told = told[told[:, 4] >= least]
    return Boxes(told[:, :4], told[:, 4], told[:, 5].astype(np.int64))


def _scored(told: Floats, least: float) -> Boxes:
    if told.shape[0] > told.shape[1]:
        told = told.T  # some exporters turn it
    scores = told[4:]
    classes = scores.argmax(0)
    best = np.take_along_axis(scores, classes[None], 0)[0]
    sure = best >= least
    middles, halves = told[:2, sure], told[2:4, sure] / 2
    corners = np.concatenate([middles - halves, middles + halves]).T
    return Boxes(corners, best[sure], classes[sure])
