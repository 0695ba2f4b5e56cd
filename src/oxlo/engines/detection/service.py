"""One detection request: read, looked at, written."""

from dataclasses import dataclass
from typing import Annotated, BinaryIO

import msgspec
from msgspec import Meta

from oxlo.engines.detection import picture
from oxlo.engines.detection.boxes import Boxes
from oxlo.engines.detection.classes import Classes
from oxlo.engines.detection.detector import Detector
from oxlo.serving.work import Job
from oxlo.wire.decode import refused


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A call's fields."""

    confidence: Annotated[float, Meta(ge=0, le=1)] = 0.25
    iou_threshold: Annotated[float, Meta(ge=0, le=1)] = 0.45
    max_detections: Annotated[int, Meta(ge=1, le=1000)] = 100
    image_size: Annotated[int, Meta(ge=32, le=4096)] | None = None
    #: Names or numbers; none: all.
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
    #: The same: some clients read one, some the other.
    label: str
    confidence: float
    bbox: _Corners
    bbox_xyxy: picture.Corners


class _Size(msgspec.Struct, frozen=True):
    width: int
    height: int


class _Reply(msgspec.Struct, frozen=True, omit_defaults=True):
    model: str
    image: _Size
    count: int
    detections: list[_Detection]
    #: Written in base64.
    annotated_image: bytes | None = None


_encode = msgspec.json.Encoder().encode


def asked(fields: dict[str, str | list[str]]) -> Asked:
    """A call's fields, which are texts. Raises BadRequest."""
    try:
        return msgspec.convert(fields, Asked, strict=False)
    except msgspec.ValidationError as error:
        raise refused(error, Asked) from None


@dataclass(frozen=True)
class Detection:
    """A model that is ready."""

    name: str
    classes: Classes
    detector: Detector

    def answer(self, job: Job, file: BinaryIO, wish: Asked) -> bytes:
        """The reply; blocks. Raises ApiError, Cancelled or DetectionFailed."""
        only = self.classes.numbers(wish.classes)
        image = picture.read(file)
        job.step()
        found = self._told(self.detector.find(image, wish, only))
        shown = picture.annotated(image, map(_drawn, found)) if wish.annotated else None
        return _encode(_Reply(self.name, _Size(*image.size), len(found), found, shown))

    def _told(self, boxes: Boxes) -> list[_Detection]:
        told = []
        for corners, score, number in zip(*(part.tolist() for part in boxes), strict=True):
            name = self.classes.name(number)
            left, top, right, bottom = (round(value, 1) for value in corners)
            box, listed = _Corners(left, top, right, bottom), (left, top, right, bottom)
            told.append(_Detection(number, name, name, round(score, 4), box, listed))
        return told


def _drawn(found: _Detection) -> tuple[picture.Corners, int, str]:
    return found.bbox_xyxy, found.class_id, f"{found.label} {found.confidence:.2f}"
