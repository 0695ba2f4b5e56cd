"""Detection: build the form with the image, check and forward the response."""

from collections.abc import Iterator

import msgspec

from oxlo.engines.dialect import Answer, Decided, EngineCall, Usage
from oxlo.engines.dialects.chunks import read
from oxlo.engines.dialects.openai import renamed
from oxlo.engines.parts import form
from oxlo.wire.detection import DetectRequest

PATH = "/v1/detect"


class _Detection(msgspec.Struct, gc=False):
    class_name: str
    confidence: float


class _Reply(msgspec.Struct):
    detections: list[_Detection]
    model: str | None = None
    error: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_reply = msgspec.json.Decoder(_Reply)


def call(request: DetectRequest, decided: Decided) -> EngineCall:
    """Build the engine's request from an allow-list."""
    [picture] = decided.files
    kind, parts = form(_fields(request, decided), [("image", picture)])
    return EngineCall(PATH, parts, kind)


def _fields(request: DetectRequest, decided: Decided) -> Iterator[tuple[str, str]]:
    yield "model", decided.engine_model
    for name in ("confidence", "iou_threshold", "max_detections", "image_size"):
        value = getattr(request, name)
        if value is not None:
            yield name, str(value)
    for wanted in request.wanted:
        yield "classes", wanted
    if request.annotated:
        yield "annotated", "true"


def reply(body: bytes, decided: Decided) -> Answer:
    """Check and forward the response. Raises EngineFailed."""
    decoded = read(_reply, body)
    return Answer(renamed(body, decoded.model, decided), Usage(), "stop")
