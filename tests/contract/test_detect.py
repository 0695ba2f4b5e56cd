"""Detection over plain HTTP, by the real small model, on a photograph."""

import base64
import io
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.conftest import cache
from tests.contract import programs
from tests.contract.conftest import Served, serving

from oxlo.snippets import Category, Language

pytestmark = pytest.mark.engine

MODEL = "centernet-mobilenetv3"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, centernet: list[Path]) -> Iterator[Served]:
    """The platform with the detector alone."""
    with serving(tmp_path_factory.mktemp("home"), cache(), OXLO_MODELS=MODEL) as platform:
        yield platform


def detect(served: Served, **fields: object) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {served.key}", "Content-Type": "application/json"}
    sent = json.dumps({"model": MODEL} | fields).encode()
    request = urllib.request.Request(f"{served.base_url}/detect", sent, headers)
    try:
        with urllib.request.urlopen(request) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


@pytest.fixture(scope="module")
def photograph(coffee: Path) -> str:
    return base64.b64encode(coffee.read_bytes()).decode()


def test_photograph(served: Served, photograph: str) -> None:
    """A cup on a table, in pixels of the photograph, as both kinds of clients read it."""
    status, body = detect(served, image=photograph)
    assert status == 200
    assert (body["model"], body["count"]) == (MODEL, 2)
    assert body["image"] == {"width": 600, "height": 400}
    cup, table = body["detections"]
    assert (cup["class_name"], cup["label"], cup["class_id"]) == ("cup", "cup", 41)
    assert table["class_name"] == "dining table"
    assert cup["bbox_xyxy"] == [cup["bbox"][side] for side in ("x1", "y1", "x2", "y2")]
    assert cup["bbox_xyxy"] == pytest.approx([168, 15, 415, 272], abs=8)


@pytest.mark.parametrize(
    ("fields", "labels"),
    [
        ({"confidence": 0.5}, ["cup"]),
        ({"confidence_threshold": 0.5}, ["cup"]),
        ({"classes": "dining table,zebra"}, ["dining table"]),
        ({"classes": [41]}, ["cup"]),
        ({"max_detections": 1, "iou_threshold": 0.3, "image_size": 512}, ["cup"]),
    ],
)
def test_every_spelling(
    served: Served, photograph: str, fields: dict[str, object], labels: list[str]
) -> None:
    """A data URI, and each field."""
    uri = f"data:image/png;base64,{photograph}"
    status, body = detect(served, image=uri, **fields)
    assert (status, [found["label"] for found in body["detections"]]) == (200, labels)


def test_annotated_picture(served: Served, photograph: str) -> None:
    """With boxes drawn in, as PNG in base64."""
    _, body = detect(served, image=photograph, annotated=True)
    shown = Image.open(io.BytesIO(base64.b64decode(body["annotated_image"], validate=True)))
    assert (shown.format, shown.size) == ("PNG", (600, 400))


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"image": "aGVsbG8="}, "image"),
        ({"image": "%%%"}, "image"),
        ({"image": "http://127.0.0.1:1/a.png"}, "image"),
        ({"classes": "unicorn"}, "classes"),
        ({"confidence": 7}, "confidence"),
        ({"image_size": 640}, "image_size"),
    ],
)
def test_bad_input(served: Served, photograph: str, fields: dict[str, object], param: str) -> None:
    """A clear 400 that does not count, and the engine stays up."""
    used = served.used_today()
    status, body = detect(served, **{"image": photograph} | fields)
    assert (status, body["error"]["param"]) == (400, param)
    assert served.used_today() == used
    assert detect(served, image=photograph)[0] == 200


def test_documented_model_is_not_replaced(served: Served, photograph: str) -> None:
    """Without `yolo11x.pt`, the error names the small model, which never answers in its place."""
    status, body = detect(served, image=photograph, model="yolo11x.pt")
    assert (status, body["error"]["code"]) == (503, "model_not_deployed")
    assert MODEL in body["error"]["message"]


@programs.each("detection")
def test_programs_that_are_shown(
    served: Served, coffee: Path, tmp_path: Path, category: Category, language: Language
) -> None:
    """With the official SDKs, which know no such endpoint, and with a form."""
    (tmp_path / "photo.jpg").write_bytes(coffee.read_bytes())
    output = programs.run(served, category, language, MODEL, tmp_path)
    assert "cup" in output
    assert "dining table" in output
