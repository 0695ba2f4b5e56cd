"""The detection request, in every spelling."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from oxlo import catalogue
from oxlo.errors import BadRequest
from oxlo.wire.detection import DetectRequest, decode, decode_form, validate

MODEL = catalogue.load().resolve("yolov11")


def decoded(**fields: Any) -> DetectRequest:
    request, unknown = decode(msgspec.json.encode({"image": "aGk="} | fields))
    assert unknown == ()
    validate(request, MODEL)
    return request


def test_the_default_model() -> None:
    """The documentation's `yolo11x.pt` is a name of YOLOv11."""
    assert catalogue.load().resolve(decoded().model) == MODEL


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (None, []),
        ("", []),
        ("all", []),
        (["All"], []),
        ("all,person", ["all", "person"]),
        ("person", ["person"]),
        ("person, traffic light,7", ["person", "traffic light", "7"]),
        (["person", 0, "7"], ["person", "0", "7"]),
        (["person,car"], ["person", "car"]),
        (0, ["0"]),
        ([], []),
    ],
)
def test_classes(given: object, wanted: list[str]) -> None:
    """Names and numbers, with commas or as a list."""
    assert decoded(classes=given).wanted == wanted


@pytest.mark.parametrize(
    ("fields", "confidence"),
    [
        ({}, None),
        ({"confidence": 0.5}, 0.5),
        ({"confidence_threshold": 0.5}, 0.5),
        ({"confidence": 0.3, "confidence_threshold": 0.5}, 0.3),
    ],
)
def test_confidence(fields: dict[str, float], confidence: float | None) -> None:
    """It has two spellings; the documented one wins."""
    assert decoded(**fields).confidence == confidence


def test_a_form_says_it_in_texts() -> None:
    """Numbers and truths are read as such."""
    fields = {
        "image": "oxlo-file:0", "confidence": "0.5", "max_detections": "3", "annotated": "true",
        "classes": "1,2",
    }  # fmt: skip
    request, _ = decode_form(msgspec.json.encode(fields))
    assert (request.confidence, request.max_detections, request.annotated) == (0.5, 3, True)
    assert request.wanted == ["1", "2"]


@pytest.mark.parametrize("field", ["image", "confidence"])
def test_a_field_of_a_form_that_comes_twice(field: str) -> None:
    """A form has no arrays, so none is spoken of."""
    fields = {"image": "oxlo-file:0"} | {field: ["1", "2"]}
    with pytest.raises(BadRequest, match=r"got several\. Send the field once\."):
        decode_form(msgspec.json.encode(fields))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("confidence", 0),
        ("confidence", 1.1),
        ("iou_threshold", 0.05),
        ("max_detections", 301),
        ("max_detections", 0),
        ("image_size", 100),
        ("image_size", 2000),
        ("classes", {"a": 1}),
        ("annotated", "yes"),
        ("image", 7),
    ],
)
def test_out_of_range(field: str, value: object) -> None:
    """A 400 that names the field."""
    with pytest.raises(BadRequest) as refused:
        decoded(**{field: value})
    assert refused.value.param == field


def test_the_picture_is_a_medium() -> None:
    """It is fetched or decoded, and inspected, before an engine sees it."""
    [medium] = decoded(image="https://example.com/a.png").media()
    assert (medium.source, medium.kind) == ("https://example.com/a.png", "image")


@pytest.mark.parametrize("take", [decode, decode_form])
def test_no_image(take: Callable[[bytes], object]) -> None:
    """The error says what a picture is, in JSON and in a form."""
    with pytest.raises(BadRequest) as refused:
        take(b'{"model":"yolov9"}')
    assert refused.value.error_code == "missing_required_parameter"
    assert "a URL or a data URI, in a form a file" in refused.value.message
