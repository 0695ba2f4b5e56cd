"""One detection request: decode, detect, respond."""

from dataclasses import dataclass
from typing import Annotated, BinaryIO

import msgspec
from msgspec import Meta

from oxlo.engines.detection import picture
from oxlo.engines.detection.boxes import Boxes
from oxlo.engines.detection.captions import Corners
from oxlo.engines.detection.detector import Detector
from oxlo.engines.detection.labels import Labels
from oxlo.serving.work import Job
from oxlo.wire.decode import refused


class Params(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of a request."""

    confidence: Annotated[float, Meta(ge=0, le=1)] = 0.25
    iou_threshold: Annotated[float, Meta(ge=0, le=1)] = 0.45
    max_detections: Annotated[int, Meta(ge=1, le=1000)] = 100
    image_size: Annotated[int, Meta(ge=32, le=4096)] | None = None
    #: Names or numbers; empty: all.
    classes: tuple[str, ...] = ()
    annotated: bool = False


class _Corners(msgspec.Struct, frozen=True):
    x1: float
    y1: float
    x2: float
    y2: float


class _Detection(msgspec.Struct, frozen=True):
    class_id: int
    class_name: str
    #: Repeated, because some clients read this name.
    label: str
    confidence: float
    bbox: _Corners
    bbox_xyxy: Corners


class _Size(msgspec.Struct, frozen=True):
    width: int
    height: int


class _Reply(msgspec.Struct, frozen=True, omit_defaults=True):
    model: str
    image: _Size
    count: int
    detections: list[_Detection]
    #: PNG; encoded as base64.
    annotated_image: bytes | None = None


_encode = msgspec.json.Encoder().encode


def read(fields: dict[str, str | list[str]]) -> Params:
    """Decode form fields, which are all strings. Raises BadRequest."""
    try:
        return msgspec.convert(fields, Params, strict=False)
    except msgspec.ValidationError as error:
        raise refused(error, Params) from None


@dataclass(frozen=True)
class Detection:
    """A loaded model and its labels."""

    name: str
    labels: Labels
    detector: Detector

    def answer(self, job: Job, file: BinaryIO, params: Params) -> bytes:
        """The response body; blocks. Raises ApiError, Cancelled or DetectionFailed."""
        only = self.labels.numbers(params.classes)
        image = picture.read(file)
        job.step()
        found = self._detections(self.detector.detect(image, params, only))
        drawn = picture.annotated(image, map(_box, found)) if params.annotated else None
        return _encode(_Reply(self.name, _Size(*image.size), len(found), found, drawn))

    def _detections(self, boxes: Boxes) -> list[_Detection]:
        detections = []
        for corners, score, number in zip(*(part.tolist() for part in boxes), strict=True):
            name = self.labels.name(number)
            left, top, right, bottom = (round(value, 1) for value in corners)
            box, listed = _Corners(left, top, right, bottom), (left, top, right, bottom)
            detections.append(_Detection(number, name, name, round(score, 4), box, listed))
        return detections


def _box(found: _Detection) -> tuple[Corners, int, str]:
    return found.bbox_xyxy, found.class_id, f"{found.label} {found.confidence:.2f}"
