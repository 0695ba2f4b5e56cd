"""Converting TensorFlow.js graphs to ONNX: only the operations of convolutional detectors.

TensorFlow's layout is NHWC, ONNX's is NCHW. The whole graph is converted, inputs and outputs too.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from oxlo.engines.detection.graph import Array, Graph, Node
from oxlo.serving.process import CannotLoad

_OPSET = 17
#: Positions of the NHWC axes in NCHW.
_AXES = (0, 2, 3, 1)


def convert(graph: Path, weights: Path, outputs: Sequence[str]) -> bytes:
    """Convert the part of a graph that `outputs` need to an ONNX model. Raises CannotLoad."""
    try:
        return _Conversion(Graph(graph, weights)).model(outputs)
    except (msgspec.DecodeError, KeyError, ValueError) as error:
        raise CannotLoad(f"{graph.name} cannot be converted to ONNX: {error}") from error


class _Conversion:
    """The conversion of one graph."""

    def __init__(self, graph: Graph) -> None:
        self._nodes = graph.nodes
        self._values = graph.constants
        self._made: list[onnx.NodeProto] = []
        self._constants: dict[str, Array] = {}
        self._inputs: list[onnx.ValueInfoProto] = []
        self._done: set[str] = set()

    def model(self, outputs: Sequence[str]) -> bytes:
        for name in outputs:
            self._need(name)
        graph = helper.make_graph(
            self._made,
            "converted",
            self._inputs,
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
            [numpy_helper.from_array(value, name) for name, value in self._constants.items()],
        )
        opset = helper.make_opsetid("", _OPSET)
        made = helper.make_model(graph, opset_imports=[opset], ir_version=8)
        return bytes(made.SerializeToString())

    def _need(self, name: str) -> None:
        """Convert a node after its inputs; iterative, because graphs are deep."""
        waiting = [name]
        while waiting:
            node = self._nodes[waiting[-1]]
            missing = [n for n in node.input if n not in self._done and n not in self._values]
            if missing:
                waiting += missing
                continue
            waiting.pop()
            if node.name not in self._done:
                self._done.add(node.name)
                if node.op not in _CONVERTERS:
                    raise ValueError(f"operation {node.op} is not known")
                _CONVERTERS[node.op](self, node)

    def constant(self, name: str, value: Array) -> str:
        self._constants[name] = np.ascontiguousarray(value)
        return name

    def value(self, name: str) -> Array:
        """The value of a constant. Raises KeyError for anything else."""
        return self._values[name]

    def operand(self, name: str) -> str:
        """An input of an elementwise operation; constants are reshaped to broadcast in NCHW."""
        if name not in self._values:
            return name
        value = self._values[name].astype(np.float32)
        if value.ndim == 1:
            value = value.reshape(-1, 1, 1)
        elif value.ndim:
            raise ValueError(f"{name} has {value.ndim} dimensions")
        return self.constant(name, value)

    def add(self, op: str, inputs: Sequence[str], output: str, **attributes: Any) -> None:
        self._made.append(helper.make_node(op, list(inputs), [output], **attributes))

    def input(self, node: Node) -> None:
        sizes = node.sizes
        shape = [sizes[_AXES.index(axis)] for axis in range(4)]
        self._inputs.append(helper.make_tensor_value_info(node.name, TensorProto.FLOAT, shape))


def _plain(op: str) -> Callable[[_Conversion, Node], None]:
    """A converter for an operation that does not depend on the layout."""

    def made(conversion: _Conversion, node: Node) -> None:
        conversion.add(op, [conversion.operand(name) for name in node.input], node.name)

    return made


def _relu6(conversion: _Conversion, node: Node) -> None:
    least = conversion.constant("relu6/least", np.array(0, np.float32))
    most = conversion.constant("relu6/most", np.array(6, np.float32))
    conversion.add("Clip", [node.input[0], least, most], node.name)


def _convolution(conversion: _Conversion, node: Node) -> None:
    """Filters are (height, width, in, out); a bias and an activation may be fused."""
    filters = conversion.value(node.input[1]).transpose(3, 2, 0, 1)
    _convolve(conversion, node, filters, groups=1)


def _depthwise(conversion: _Conversion, node: Node) -> None:
    """Filters are (height, width, in, multiplier), separate for each channel."""
    filters = conversion.value(node.input[1])
    height, width, channels, multiplier = filters.shape
    turned = filters.transpose(2, 3, 0, 1).reshape(channels * multiplier, 1, height, width)
    _convolve(conversion, node, turned, groups=channels)


def _convolve(conversion: _Conversion, node: Node, filters: Array, groups: int) -> None:
    fused = node.texts("fused_ops")
    inputs = [node.input[0], conversion.constant(node.input[1], filters)]
    if "BiasAdd" in fused:
        inputs.append(conversion.constant(node.input[2], conversion.value(node.input[2])))
    after = [each for each in fused if each != "BiasAdd"]
    convolved = f"{node.name}/convolved" if after else node.name
    conversion.add(
        "Conv",
        inputs,
        convolved,
        group=groups,
        strides=node.spatial("strides"),
        dilations=node.spatial("dilations"),
        **_padding(node),
    )
    if after == ["Relu"]:
        conversion.add("Relu", [convolved], node.name)
    elif after == ["Relu6"]:
        _relu6(conversion, Node(node.name, "Relu6", [convolved]))
    elif after:
        raise ValueError(f"{node.name} has {after} fused in")


def _padding(node: Node) -> dict[str, str]:
    return {"auto_pad": {"SAME": "SAME_UPPER", "VALID": "VALID"}[node.text("padding")]}


def _mean(conversion: _Conversion, node: Node) -> None:
    axes = [_AXES[axis] for axis in conversion.value(node.input[1]).ravel()]
    kept = int(node.is_set("keep_dims"))
    conversion.add("ReduceMean", [node.input[0]], node.name, axes=axes, keepdims=kept)


def _concat(conversion: _Conversion, node: Node) -> None:
    *inputs, axis = node.input
    conversion.add("Concat", inputs, node.name, axis=_AXES[int(conversion.value(axis))])


def _resize(conversion: _Conversion, node: Node) -> None:
    if node.is_set("align_corners"):
        raise ValueError(f"{node.name} aligns corners")
    size = conversion.value(node.input[1]).astype(np.int64)
    half = node.is_set("half_pixel_centers")
    head = f"{node.name}/head"
    first = conversion.constant(f"{node.name}/first", np.array([0], np.int64))
    two = conversion.constant(f"{node.name}/two", np.array([2], np.int64))
    conversion.add("Shape", [node.input[0]], f"{node.name}/shape")
    conversion.add("Slice", [f"{node.name}/shape", first, two], head)
    sizes = f"{node.name}/sizes"
    conversion.add("Concat", [head, conversion.constant(f"{node.name}/size", size)], sizes, axis=0)
    conversion.add(
        "Resize",
        [node.input[0], "", "", sizes],
        node.name,
        mode="linear",
        coordinate_transformation_mode="half_pixel" if half else "asymmetric",
    )


_CONVERTERS: dict[str, Callable[[_Conversion, Node], None]] = {
    "Placeholder": lambda conversion, node: conversion.input(node),
    "Identity": _plain("Identity"),
    "Add": _plain("Add"),
    "AddV2": _plain("Add"),
    "Mul": _plain("Mul"),
    "Relu": _plain("Relu"),
    "Sigmoid": _plain("Sigmoid"),
    "Relu6": _relu6,
    "Conv2D": _convolution,
    "_FusedConv2D": _convolution,
    "DepthwiseConv2dNative": _depthwise,
    "FusedDepthwiseConv2dNative": _depthwise,
    "Mean": _mean,
    "ConcatV2": _concat,
    "ResizeBilinear": _resize,
}
