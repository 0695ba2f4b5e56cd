"""Decoding YOLO (8, 9, 11 and compatible), with or without non-maximum suppression inside."""

from collections.abc import Sequence

import numpy as np

from oxlo.engines.detection.boxes import Boxes, Floats

#: Values for each box after suppression: corners, score, class.
_SUPPRESSED = 6


def boxes(outputs: Sequence[Floats], least: float) -> Boxes:
    """Boxes with a score of at least `least`, in pixels of the model's input.

    The output is (1, 4 + classes, boxes) with centres and sizes or, if the model suppresses
    overlaps itself, (1, boxes, 6).
    """
    output = outputs[0][0].astype(np.float32)
    decode = _suppressed if output.shape[1] == _SUPPRESSED else _raw
    return decode(output, least)


def _suppressed(output: Floats, least: float) -> Boxes:
    output = output[output[:, 4] >= least]
    return Boxes(output[:, :4], output[:, 4], output[:, 5].astype(np.int64))


def _raw(output: Floats, least: float) -> Boxes:
    if output.shape[0] > output.shape[1]:
        output = output.T  # some exporters transpose it
    scores = output[4:]
    classes = scores.argmax(0)
    best = np.take_along_axis(scores, classes[None], 0)[0]
    sure = best >= least
    centres, halves = output[:2, sure], output[2:4, sure] / 2
    corners = np.concatenate([centres - halves, centres + halves]).T
    return Boxes(corners, best[sure], classes[sure])
