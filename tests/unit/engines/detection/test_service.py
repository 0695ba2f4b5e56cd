"""Requests of detection: the real small model on a photograph, and a YOLO that sees red."""

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from oxlo import catalogue
from oxlo.engines.base import EngineSpec
from oxlo.engines.detection import child
from oxlo.engines.detection.config import Config
from oxlo.engines.detection.service import read
from oxlo.engines.onnx import Onnx
from oxlo.errors import BadRequest
from oxlo.hardware.sizing import Machine
from oxlo.serving.work import Job, Workers
from oxlo.settings import Settings

Look = Callable[..., dict[str, Any]]


def looking(config: Config) -> Look:
    detection, workers = child.detector(config), Workers(1)

    def look(file: bytes, **fields: str | list[str]) -> dict[str, Any]:
        told = detection.answer(Job(workers), io.BytesIO(file), read(fields))
        found: dict[str, Any] = json.loads(told)
        return found

    return look


@pytest.fixture(scope="module")
def look(centernet: list[Path]) -> Look:
    model = catalogue.load().resolve("centernet")
    launch = Onnx().launch(
        EngineSpec(model, model.variants[0], Settings(), centernet, Machine(1, 4000))
    )
    return looking(msgspec.json.decode(launch.config, type=Config))


@pytest.mark.engine
def test_a_cup_on_a_table(look: Look, coffee: Path) -> None:
    """What a photograph shows, where it is, in its own pixels, the surest first."""
    told = look(coffee.read_bytes())
    assert told["image"] == {"width": 600, "height": 400}
    cup, table = told["detections"]
    assert (told["count"], cup["label"], table["label"]) == (2, "cup", "dining table")
    assert (cup["class_id"], cup["class_name"]) == (41, "cup")
    assert cup["confidence"] > 0.5 > table["confidence"]
    assert cup["bbox_xyxy"] == pytest.approx([168, 15, 415, 272], abs=8)
    assert list(cup["bbox"].values()) == cup["bbox_xyxy"]
    assert "annotated_image" not in told


@pytest.mark.engine
@pytest.mark.parametrize(
    ("fields", "labels"),
    [
        ({"confidence": "0.5"}, ["cup"]),
        ({"max_detections": "1"}, ["cup"]),
        ({"classes": ["dining_table"]}, ["dining table"]),
        ({"classes": ["60", "CUP"]}, ["cup", "dining table"]),
        ({"classes": ["zebra"]}, []),
    ],
)
def test_what_is_asked_for(
    look: Look, coffee: Path, fields: dict[str, Any], labels: list[str]
) -> None:
    """By score, number and class."""
    assert [found["label"] for found in look(coffee.read_bytes(), **fields)["detections"]] == labels


@pytest.mark.engine
def test_boxes_in_the_picture(look: Look, coffee: Path) -> None:
    """The same picture with boxes in it, as PNG."""
    told = look(coffee.read_bytes(), annotated="true", confidence="0.5")
    shown = Image.open(io.BytesIO(base64.b64decode(told["annotated_image"])))
    assert (shown.format, shown.size) == ("PNG", (600, 400))
    changed = np.any(np.asarray(shown) != np.asarray(Image.open(coffee).convert("RGB")), axis=2)
    left, top, right, bottom = map(round, told["detections"][0]["bbox_xyxy"])
    assert changed[top + 40, left]
    assert not changed[top + 40, left + 40 : right - 40].any()
    assert not changed[bottom + 5 :].any()


@pytest.mark.engine
@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"classes": ["unicorn"]}, "classes"),
        ({"classes": ["80"]}, "classes"),
        ({"image_size": "640"}, "image_size"),
    ],
)
def test_what_this_model_cannot(
    look: Look, coffee: Path, fields: dict[str, Any], param: str
) -> None:
    """A 400 that names the field."""
    with pytest.raises(BadRequest) as refused:
        look(coffee.read_bytes(), **fields)
    assert refused.value.param == param


@pytest.mark.parametrize(
    "fields", [{"confidence": "sure"}, {"confidence": "2"}, {"max_detections": "0"}]
)
def test_nonsense_is_refused(fields: dict[str, str | list[str]]) -> None:
    """Also where no gateway stands before the engine."""
    with pytest.raises(BadRequest) as refused:
        read(fields)
    assert refused.value.param == next(iter(fields))


def red_seer(size: int | str, names: str = "") -> bytes:
    """A model with YOLO's output: one box for each 32 x 32 pixels, as likely as they are red."""
    cells = 4
    rows, columns = np.mgrid[:cells, :cells].reshape(2, -1) * 32 + 16
    boxes = np.stack([columns, rows, *np.full((2, cells * cells), 32)])[None].astype(np.float32)
    redness = np.array([1, -0.5, -0.5], np.float32).reshape(1, 3, 1, 1)
    constants = {
        "boxes": boxes,
        "redness": redness,
        "flat": np.array([1, 1, cells * cells]),
    }
    nodes = [
        helper.make_node(
            "AveragePool", ["images"], ["mean"], kernel_shape=[32, 32], strides=[32, 32]
        ),
        helper.make_node("Conv", ["mean", "redness"], ["red"]),
        helper.make_node("Reshape", ["red", "flat"], ["scores"]),
        helper.make_node("Concat", ["boxes", "scores", "scores"], ["output0"], axis=1),
    ]
    graph = helper.make_graph(
        nodes, "red",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, size, size])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, [1, 6, cells * cells])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    if names:
        helper.set_model_props(model, {"names": names})
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def yolo(path: Path, **fields: Any) -> Look:
    model = catalogue.load().resolve("yolov11")
    launch = Onnx().launch(
        EngineSpec(model, model.variants[0], Settings(), [path], Machine(1, 4000))
    )
    config = msgspec.json.decode(launch.config, type=Config)
    return looking(msgspec.structs.replace(config, **fields))


def red_square(width: int, height: int, at: tuple[int, int, int, int]) -> bytes:
    image = Image.new("RGB", (width, height))
    image.paste((255, 0, 0), at)
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def test_yolo_files_of_operators(tmp_path: Path) -> None:
    """Bytes are scaled, the picture is framed, and boxes are told in its own pixels."""
    path = tmp_path / "yolov11.onnx"
    path.write_bytes(red_seer(128, "{0: 'red thing', 1: 'other'}"))
    [found] = yolo(path)(red_square(256, 128, (64, 0, 128, 64)))["detections"]
    assert found["label"] == "red thing"
    assert found["confidence"] == pytest.approx(1, abs=0.05)  # edges are blurred
    assert found["bbox_xyxy"] == [64, 0, 128, 64]


def test_size_is_the_callers_where_the_model_lets_them(tmp_path: Path) -> None:
    """In whole steps of 32; a file with a size of its own looks at no other."""
    free, fixed = tmp_path / "free.onnx", tmp_path / "fixed.onnx"
    free.write_bytes(red_seer("size"))
    fixed.write_bytes(red_seer(128))
    file = red_square(256, 256, (0, 0, 64, 64))
    assert yolo(free)(file, image_size="100")["detections"][0]["bbox_xyxy"] == [0, 0, 64, 64]
    with pytest.raises(BadRequest, match="always uses 128 pixels"):
        yolo(fixed)(file, image_size="640")


def test_names_of_classes(tmp_path: Path) -> None:
    """The model file's, then the ONNX file's, then COCO's; nonsense in a file is no name."""
    path = tmp_path / "yolov11.onnx"
    file = red_square(128, 128, (0, 0, 32, 32))
    for names, own, label in (
        ("{0: 'a', 1: 'b'}", ("mine", "yours"), "mine"),
        ("{0: 'a', 1: 'b'}", (), "a"),
        ("__import__('os').getcwd()", (), "person"),
        ("", (), "person"),
    ):
        path.write_bytes(red_seer(128, names))
        assert yolo(path, classes=own)(file)["detections"][0]["label"] == label
