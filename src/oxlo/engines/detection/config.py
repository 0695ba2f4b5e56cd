"""What a detection engine is told by its parent."""

from typing import Literal

import msgspec

Family = Literal["yolo", "centernet"]


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """Every argument that is decided."""

    #: Paths: an ONNX model; or a graph of TensorFlow.js, and its `weights`.
    model: str
    weights: str = ""
    #: How its output is read.
    family: Family
    #: The model's id.
    name: str
    #: Names of its classes; empty: those that the model names itself, else COCO's.
    classes: tuple[str, ...] = ()
    device: Literal["cpu", "cuda"]
    threads: int
    slots: int
    api_key: str
    port: int = 0
