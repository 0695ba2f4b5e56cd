"""POST /v1/detect: decoding and validating requests."""

from typing import Final

import msgspec

from oxlo.catalogue import Model
from oxlo.wire.decode import Decoder
from oxlo.wire.media import Medium
from oxlo.wire.ranges import check_ranges
from oxlo.wire.request import Whole

#: The model of requests that name none, as clients spell it.
DEFAULT_MODEL: Final = "yolo11x.pt"
_NEEDED = {
    "image": "It is a picture: in JSON a URL or a data URI, in a form a file. "
    "With curl: -F image=@photo.jpg"
}


class DetectRequest(msgspec.Struct, Whole, kw_only=True):
    """A detection request."""

    #: A URL, a data URI, base64, or `oxlo-file:N`.
    image: str
    model: str = DEFAULT_MODEL
    confidence: float | None = None
    #: Another spelling of the same, used by some clients.
    confidence_threshold: float | None = None
    iou_threshold: float | None = None
    #: Names or numbers, as a list or separated by commas; `all` is every class, as nothing is.
    classes: str | int | list[str | int] | None = None
    max_detections: int | None = None
    image_size: int | None = None
    annotated: bool | None = None

    @property
    def text_bytes(self) -> int:
        """There is no prompt."""
        return 0

    @property
    def wanted(self) -> list[str]:
        """The classes to report; empty: all."""
        given = "" if self.classes is None else self.classes
        listed = ",".join(map(str, given if isinstance(given, list) else [given])).split(",")
        names = [name.strip() for name in listed if name.strip()]
        return [] if [name.lower() for name in names] == ["all"] else names

    def media(self) -> tuple[Medium, ...]:
        """The image."""
        return (Medium(source=self.image, kind="image", param="image"),)


_json: Decoder[DetectRequest] = Decoder(DetectRequest, needed=_NEEDED)
_form: Decoder[DetectRequest] = Decoder(DetectRequest, needed=_NEEDED, form=True)


def decode(body: bytes) -> tuple[DetectRequest, tuple[str, ...]]:
    """Decode a request, and name its unknown fields. Raises BadRequest."""
    return _one_spelling(*_json.decode(body))


def decode_form(body: bytes) -> tuple[DetectRequest, tuple[str, ...]]:
    """As `decode`, for form fields, which are strings."""
    return _one_spelling(*_form.decode(body))


def _one_spelling(
    request: DetectRequest, unknown: tuple[str, ...]
) -> tuple[DetectRequest, tuple[str, ...]]:
    if request.confidence is None:
        request.confidence = request.confidence_threshold
    return request, unknown


def validate(request: DetectRequest, model: Model) -> None:
    """Validate a request for a model. Raises BadRequest."""
    check_ranges(request, model)
