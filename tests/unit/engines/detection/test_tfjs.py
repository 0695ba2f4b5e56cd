"""Graphs of TensorFlow.js, converted and run."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from oxlo.engines.detection.tfjs import convert
from oxlo.engines.sessions import session
from oxlo.serving.process import CannotLoad

Array = npt.NDArray[Any]
Made = Callable[..., list[Array]]


def node(name: str, op: str, *inputs: str, **attr: Any) -> dict[str, Any]:
    return {"name": name, "op": op, "input": list(inputs), "attr": attr}


def placeholder(height: int, width: int, channels: int) -> dict[str, Any]:
    dims = [{"size": str(size)} for size in (1, height, width, channels)]
    return node("x", "Placeholder", shape={"shape": {"dim": dims}})


def texts(*values: str) -> dict[str, Any]:
    return {"list": {"s": [base64.b64encode(value.encode()).decode() for value in values]}}


def convolved(
    stride: int = 1, padding: str = "SAME", fused: tuple[str, ...] = ()
) -> dict[str, Any]:
    return {
        "strides": {"list": {"i": ["1", str(stride), str(stride), "1"]}},
        "dilations": {"list": {"i": ["1", "1", "1", "1"]}},
        "padding": {"s": base64.b64encode(padding.encode()).decode()},
        "fused_ops": texts(*fused),
    }


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Convert a graph with these constants, and run it on a picture (height, width, channels)."""

    def run(nodes: list[Any], values: dict[str, Array], x: Array, *outputs: str) -> list[Array]:
        manifest = [
            {"name": name, "shape": list(v.shape), "dtype": str(v.dtype)}
            for name, v in values.items()
        ]
        constants = [node(name, "Const") for name in values]
        graph = {"modelTopology": {"node": nodes + constants}}
        graph["weightsManifest"] = [{"weights": manifest}]  # type: ignore[assignment]
        (tmp_path / "g.json").write_text(json.dumps(graph))
        (tmp_path / "g.bin").write_bytes(b"".join(v.tobytes() for v in values.values()))
        model = convert(tmp_path / "g.json", tmp_path / "g.bin", outputs)
        fed = {"x": x.transpose(2, 0, 1)[None].astype(np.float32)}
        told: list[Array] = session(model, 1, "cpu").run(list(outputs), fed)
        return told

    return run


def test_convolution_pads_as_tensorflow_does(made: Made) -> None:
    """With a stride of 2 on an even side, the padding is at the end only."""
    x = np.arange(16.0).reshape(4, 4, 1)
    filters = np.ones((3, 3, 1, 1), np.float32)
    nodes = [placeholder(4, 4, 1), node("y", "Conv2D", "x", "w", **convolved(2))]
    [y] = made(nodes, {"w": filters}, x, "y")
    padded = np.pad(x[:, :, 0], ((0, 1), (0, 1)))
    assert y[0, 0].tolist() == [
        [padded[row : row + 3, column : column + 3].sum() for column in (0, 2)] for row in (0, 2)
    ]


def test_depthwise_with_what_is_fused_in(made: Made) -> None:
    """Each channel has its own filter; the bias and the activation follow."""
    x = np.stack([np.full((2, 2), 1.0), np.full((2, 2), -3.0)], axis=2)
    values = {
        "w": np.array([2.0, 3.0], np.float32).reshape(1, 1, 2, 1),
        "b": np.array([10.0, 1.0], np.float32),
    }
    attributes = convolved(fused=("BiasAdd", "Relu"))
    nodes = [
        placeholder(2, 2, 2), node("y", "FusedDepthwiseConv2dNative", "x", "w", "b", **attributes)
    ]  # fmt: skip
    [y] = made(nodes, values, x, "y")
    assert y[0, :, 0, 0].tolist() == [12, 0]


def test_what_goes_around_a_picture(made: Made) -> None:
    """Means, joins, sums with a number for each channel, and bounds."""
    x = np.arange(8.0).reshape(2, 2, 2)
    values = {
        "axes": np.array([1, 2], np.int32),
        "axis": np.array(3, np.int32),
        "each": np.array([1.0, 100.0], np.float32),
    }
    nodes = [
        placeholder(2, 2, 2),
        node("mean", "Mean", "x", "axes", keep_dims={"b": True}),
        node("joined", "ConcatV2", "x", "sum", "axis"),
        node("sum", "Add", "x", "each"),
        node("bounded", "Relu6", "x"),
    ]
    mean, joined, bounded = made(nodes, values, x, "mean", "joined", "bounded")
    assert mean[0, :, 0, 0].tolist() == [3, 4]
    assert joined[0, :, 0, 0].tolist() == [0, 1, 1, 101]
    assert bounded.max() == 6


def test_pictures_are_scaled_as_tensorflow_does(made: Made) -> None:
    """From the corner, with pixels as points."""
    attributes = {"align_corners": {"b": False}, "half_pixel_centers": {"b": False}}
    nodes = [placeholder(1, 2, 1), node("y", "ResizeBilinear", "x", "size", **attributes)]
    [y] = made(nodes, {"size": np.array([1, 4], np.int32)}, np.array([[[0.0], [4.0]]]), "y")
    assert y[0, 0, 0].tolist() == [0, 2, 4, 4]


def test_only_what_is_needed_is_converted(made: Made) -> None:
    """Operations of other outputs do not matter; those that do are named."""
    nodes = [placeholder(1, 1, 1), node("y", "Relu", "x"), node("z", "TopKV2", "y")]
    assert made(nodes, {}, np.full((1, 1, 1), 2.0), "y")[0].item() == 2
    with pytest.raises(CannotLoad, match="TopKV2"):
        made(nodes, {}, np.zeros((1, 1, 1)), "z")


@pytest.mark.parametrize("text", ["", "{}", '{"modelTopology":{"node":[]},"weightsManifest":[]}'])
def test_what_is_no_graph(tmp_path: Path, text: str) -> None:
    """The file is named."""
    (tmp_path / "g.json").write_text(text)
    (tmp_path / "g.bin").write_bytes(b"")
    with pytest.raises(CannotLoad, match=r"g\.json"):
        convert(tmp_path / "g.json", tmp_path / "g.bin", ["y"])
