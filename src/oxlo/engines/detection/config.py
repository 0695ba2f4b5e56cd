"""The configuration of a detection engine, complete before its process starts."""

from typing import Literal

import msgspec

Family = Literal["yolo", "centernet"]


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """One engine."""

    #: Path of an ONNX model, or of a TensorFlow.js graph with its `weights`.
    model: str
    weights: str = ""
    #: How the output is decoded.
    family: Family
    #: The model's id.
    name: str
    #: Class names; empty: those in the model file, or else COCO's.
    classes: tuple[str, ...] = ()
    device: Literal["cpu", "cuda"]
    threads: int
    slots: int
    api_key: str
    port: int = 0
