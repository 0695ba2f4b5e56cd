"""Running a model on an image: boxes in the image's own pixels."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from onnxruntime import InferenceSession
from onnxruntime.capi.onnxruntime_pybind11_state import EPFail, Fail, RuntimeException
from PIL import Image

from oxlo.engines.detection import picture
from oxlo.engines.detection.boxes import Boxes, Floats, suppress
from oxlo.engines.detection.picture import Frame, Pixels
from oxlo.wire.decode import invalid

log = logging.getLogger(__name__)

#: Default input size of models that accept any.
_DEFAULT_SIZE = 640


class DetectionFailed(Exception):
    """Inference failed; the log has the reason."""


class Options(Protocol):
    """Options of one detection."""

    @property
    def confidence(self) -> float:
        """The lowest score to report."""

    @property
    def iou_threshold(self) -> float:
        """IoU above which two boxes of a class count as one object."""

    @property
    def max_detections(self) -> int:
        """The most boxes to report."""

    @property
    def image_size(self) -> int | None:
        """Side of the model's square input, in pixels; None: the model's default."""


@dataclass(frozen=True)
class Family:
    """Input scaling and output decoding of a model family."""

    #: Factor from a pixel's byte to the model's input.
    scale: float
    boxes: Callable[[Sequence[Floats], float], Boxes]


class Detector:
    """A loaded model."""

    def __init__(self, session: InferenceSession, family: Family) -> None:
        self._session = session
        self._family = family
        image = session.get_inputs()[0]
        self._input = image.name
        self._type = "float16" if image.type == "tensor(float16)" else "float32"
        #: Side of the input in pixels; None: any multiple of 32.
        self._size = image.shape[2] if isinstance(image.shape[2], int) else None

    def detect(self, image: Image.Image, options: Options, only: frozenset[int]) -> Boxes:
        """Boxes in the image, highest score first; `only` of these classes, if not empty.

        Raises BadRequest or DetectionFailed.
        """
        pixels, frame = picture.framed(image, self._input_size(options.image_size))
        found = self._family.boxes(self._run(pixels), options.confidence)
        if only:
            found = found.only(np.isin(found.classes, list(only)))
        kept = suppress(found, options.iou_threshold, options.max_detections)
        return kept._replace(corners=_unframed(kept.corners, frame, image.size))

    def _input_size(self, wanted: int | None) -> int:
        if self._size is None:
            return -(-(wanted or _DEFAULT_SIZE) // 32) * 32
        if wanted not in (None, self._size):
            raise invalid("image_size", f"this model always uses {self._size} pixels.")
        return self._size

    def _run(self, pixels: Pixels) -> list[Floats]:
        planes = pixels.transpose(2, 0, 1)[None] * np.float32(self._family.scale)
        try:
            outputs: list[Floats] = self._session.run(
                None, {self._input: planes.astype(self._type)}
            )
        except (EPFail, Fail, RuntimeException, MemoryError) as error:
            log.exception("engine.run_failed")
            raise DetectionFailed from error
        return outputs


def _unframed(corners: Floats, frame: Frame, size: tuple[int, int]) -> Floats:
    """Map from the model's input to the image's pixels, clipped to the image."""
    shift = np.array([frame.left, frame.top] * 2, np.float32)
    return np.asarray(((corners - shift) / frame.scale).clip(0, np.array(size * 2, np.float32)))
