"""A picture through the model: what is where, in pixels of the picture."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from onnxruntime import InferenceSession
from onnxruntime.capi.onnxruntime_pybind11_state import EPFail, Fail, RuntimeException
from PIL import Image

from oxlo.engines.detection import picture
from oxlo.engines.detection.boxes import Boxes, Floats, distinct
from oxlo.engines.detection.picture import Frame, Pixels
from oxlo.wire.decode import invalid

log = logging.getLogger(__name__)

#: What a model looks at that can look at any size, when nobody says more.
_USUAL_SIZE = 640


class DetectionFailed(Exception):
    """The model failed; why is in the log."""


class Wish(Protocol):
    """What is asked of a picture."""

    @property
    def confidence(self) -> float:
        """The least score."""

    @property
    def iou_threshold(self) -> float:
        """The most that two things of a class overlap."""

    @property
    def max_detections(self) -> int:
        """The most things."""

    @property
    def image_size(self) -> int | None:
        """Pixels of the square that the model looks at."""


@dataclass(frozen=True)
class Family:
    """What models of a family want and tell."""

    #: What a byte of a picture is multiplied with.
    scale: float
    boxes: Callable[[Sequence[Floats], float], Boxes]


class Detector:
    """A loaded model."""

    def __init__(self, session: InferenceSession, family: Family) -> None:
        self._session = session
        self._family = family
        given = session.get_inputs()[0]
        self._input = given.name
        self._type = "float16" if given.type == "tensor(float16)" else "float32"
        #: Pixels that it looks at; None: any multiple of 32.
        self._size = given.shape[2] if isinstance(given.shape[2], int) else None

    def find(self, image: Image.Image, wish: Wish, only: frozenset[int]) -> Boxes:
        """What is in the picture, the surest first; `only` these classes, if any are named.

        Raises BadRequest or DetectionFailed.
        """
        pixels, frame = picture.framed(image, self._chosen(wish.image_size))
        found = self._family.boxes(self._run(pixels), wish.confidence)
        if only:
            found = found.only(np.isin(found.classes, list(only)))
        kept = distinct(found, wish.iou_threshold, wish.max_detections)
        return kept._replace(corners=_unframed(kept.corners, frame, image.size))

    def _chosen(self, wished: int | None) -> int:
        if self._size is None:
            return -(-(wished or _USUAL_SIZE) // 32) * 32
        if wished not in (None, self._size):
            raise invalid("image_size", f"this model looks at {self._size} pixels, always.")
        return self._size

    def _run(self, pixels: Pixels) -> list[Floats]:
        turned = pixels.transpose(2, 0, 1)[None] * np.float32(self._family.scale)
        try:
            told: list[Floats] = self._session.run(None, {self._input: turned.astype(self._type)})
        except (EPFail, Fail, RuntimeException, MemoryError) as error:
            log.exception("engine.run_failed")
            raise DetectionFailed from error
        return told


def _unframed(corners: Floats, frame: Frame, size: tuple[int, int]) -> Floats:
    """From the square's pixels to the picture's, and none outside it."""
    shift = np.array([frame.left, frame.top] * 2, np.float32)
    return np.asarray(((corners - shift) / frame.scale).clip(0, np.array(size * 2, np.float32)))
