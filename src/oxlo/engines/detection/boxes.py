"""Boxes, how much they overlap, and which remain. Corners are (left, top, right, bottom)."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


class Boxes(NamedTuple):
    """Boxes with what is in them: corners (n, 4), and n scores and classes."""

    corners: Floats
    scores: Floats
    classes: Numbers

    def only(self, which: Mask | Numbers) -> "Boxes":
        """Some of them, by mask or by number."""
        return Boxes(self.corners[which], self.scores[which], self.classes[which])


def distinct(boxes: Boxes, overlap: float, most: int) -> Boxes:
    """The surest box of each thing, the surest first, at most `most`.

    Boxes of one class that overlap by more than `overlap` (intersection over union) are one thing.
    """
    left = np.argsort(-boxes.scores, kind="stable")
    kept: list[int] = []
    while left.size and len(kept) < most:
        best, left = int(left[0]), left[1:]
        kept.append(best)
        same = boxes.classes[left] == boxes.classes[best]
        over = overlaps(boxes.corners[best], boxes.corners[left]) > overlap
        left = left[~(same & over)]
    return boxes.only(np.array(kept, np.int64))


def overlaps(one: Floats, others: Floats) -> Floats:
    """Intersection over union of one box with each of the others."""
    least = np.maximum(one[:2], others[:, :2])
    most = np.minimum(one[2:], others[:, 2:])
    shared = np.prod(np.clip(most - least, 0, None), axis=1)
    joined = _areas(one[None]) + _areas(others) - shared
    return np.asarray(shared / np.maximum(joined, np.finfo(np.float32).tiny), np.float32)


def _areas(corners: Floats) -> Floats:
    sides: Floats = np.clip(corners[:, 2:] - corners[:, :2], 0, None)
    return np.asarray(sides[:, 0] * sides[:, 1], np.float32)
