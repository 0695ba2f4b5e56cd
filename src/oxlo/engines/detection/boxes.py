"""Bounding boxes and non-maximum suppression. Corners are (left, top, right, bottom)."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


class Boxes(NamedTuple):
    """Boxes as arrays: corners (n, 4), scores (n,) and class numbers (n,)."""

    corners: Floats
    scores: Floats
    classes: Numbers

    def only(self, which: Mask | Numbers) -> "Boxes":
        """A subset, by mask or by indices."""
        return Boxes(self.corners[which], self.scores[which], self.classes[which])


def suppress(boxes: Boxes, threshold: float, most: int) -> Boxes:
    """Non-maximum suppression: at most `most` boxes, highest score first.

    A box is dropped if it overlaps a better one of its class by more than `threshold` (IoU).
    """
    left = np.argsort(-boxes.scores, kind="stable")
    kept: list[int] = []
    while left.size and len(kept) < most:
        best, left = int(left[0]), left[1:]
        kept.append(best)
        same = boxes.classes[left] == boxes.classes[best]
        over = iou(boxes.corners[best], boxes.corners[left]) > threshold
        left = left[~(same & over)]
    return boxes.only(np.array(kept, np.int64))


def iou(one: Floats, others: Floats) -> Floats:
    """Intersection over union of one box with each of the others."""
    least = np.maximum(one[:2], others[:, :2])
    most = np.minimum(one[2:], others[:, 2:])
    intersection = np.prod(np.clip(most - least, 0, None), axis=1)
    union = _areas(one[None]) + _areas(others) - intersection
    return np.asarray(intersection / np.maximum(union, np.finfo(np.float32).tiny), np.float32)


def _areas(corners: Floats) -> Floats:
    sides: Floats = np.clip(corners[:, 2:] - corners[:, :2], 0, None)
    return np.asarray(sides[:, 0] * sides[:, 1], np.float32)
