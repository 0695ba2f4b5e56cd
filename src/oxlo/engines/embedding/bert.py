"""Rewrites a BERT in an ONNX file with onnxruntime's fused operators.

Exporters emit a layer as forty small operations, which onnxruntime fuses only if it recognises
their pattern. With seven fused operators, a text takes a fifth less time and has the same vector.
Weights are located by the names of the biases, which all exporters preserve.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, helper, numpy_helper

from oxlo.engines.embedding.config import Pooling
from oxlo.serving.process import CannotLoad

_Array = npt.NDArray[Any]

_OPSET = 17
#: The domain of onnxruntime's contributed operators.
_FUSED = "com.microsoft"
#: Epsilon of every BERT's layer normalization.
_EPSILON = 1e-12


def fused(model: Path, heads: int, pooling: Pooling, *, normalize: bool) -> bytes:
    """Return the fused model, including pooling; `heads` is the number of attention heads.

    Raises CannotLoad.
    """
    try:
        return _Writer(_Weights(onnx.load(model)), heads).model(pooling, normalize=normalize)
    except (DecodeError, OSError) as error:
        raise CannotLoad(f"{model.name} is no ONNX model: {error}") from error
    except KeyError as missing:
        raise CannotLoad(
            f"{model.name} has no {missing} and so is no BERT; without bert_heads it runs as it is"
        ) from missing


class _Weights:
    """The weights of a file, looked up by suffixes of their names."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._constants = {each.name: each for each in model.graph.initializer}
        self._producers = {name: node for node in model.graph.node for name in node.output}

    def named(self, suffix: str) -> _Array:
        """Return the weights whose name ends with `suffix`. Raises KeyError."""
        return self._value(self._full(suffix))

    def matrix(self, bias: str) -> _Array:
        """Return the weights that are multiplied before this bias is added. Raises KeyError."""
        name = self._full(bias)
        for add in self._producers.values():
            if add.op_type == "Add" and name in add.input:
                (product,) = (each for each in add.input if each != name)
                return self._value(self._producers[product].input[1])
        raise KeyError(bias)

    def has(self, suffix: str) -> bool:
        return any(name.endswith(suffix) for name in self._names())

    def _full(self, suffix: str) -> str:
        for name in self._names():
            if name.endswith(suffix):
                return name
        raise KeyError(suffix)

    def _names(self) -> Iterator[str]:
        yield from self._constants
        yield from self._producers

    def _value(self, name: str) -> _Array:
        """Evaluate a constant expression: some files hold quantized integers and their scales."""
        if name in self._constants:
            return numpy_helper.to_array(self._constants[name])
        producer = self._producers[name]
        inputs = [self._value(each) for each in producer.input]
        match producer.op_type:
            case "Cast":
                return inputs[0].astype(np.float32)
            case "Mul":
                return np.asarray(inputs[0] * inputs[1])
            case "Transpose":
                return inputs[0].T
        raise KeyError(name)


class _Writer:
    """Builds the fused graph."""

    def __init__(self, weights: _Weights, heads: int) -> None:
        self._weights = weights
        self._heads = heads
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def model(self, pooling: Pooling, *, normalize: bool) -> bytes:
        """Build the model: token ids and attention mask in, vectors out."""
        states, layer = self._layer("layer.0.", self._embeddings()), 1
        while self._weights.has(f"layer.{layer}.output.dense.bias"):
            states = self._layer(f"layer.{layer}.", states)
            layer += 1
        vectors = self._cls_pooling(states) if pooling == "cls" else self._mean_pooling(states)
        if normalize:
            vectors = self._node("LpNormalization", [vectors], "unit", axis=1, p=2)
        inputs = [_tensor(name, TensorProto.INT32) for name in ("input_ids", "attention_mask")]
        outputs = [_tensor(vectors, TensorProto.FLOAT)]
        graph = helper.make_graph(self._nodes, "bert", inputs, outputs, self._constants)
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_FUSED, 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
        return bytes(model.SerializeToString())

    def _embeddings(self) -> str:
        """Embed tokens; the first token type's embedding is merged into the positions."""
        words = self._weight("embeddings.word_embeddings.weight")
        places = self._weights.named("embeddings.position_embeddings.weight")
        types = self._weights.named("embeddings.token_type_embeddings.weight")
        where = self._constant("places", places + types[0])
        norm = self._norm("embeddings.LayerNorm")
        inputs = ["input_ids", "", words, where, "", *norm]
        outputs = ["embedded", "unused"]
        self._fused_node("EmbedLayerNormalization", inputs, *outputs, epsilon=_EPSILON)
        return "embedded"

    def _layer(self, layer: str, states: str) -> str:
        """Build self-attention and the feed-forward network, each with a residual connection."""
        attention = self._attention(f"{layer}attention.self.", states)
        seen = self._residual(f"{layer}attention.output.", attention, states)
        wide = self._matmul(f"{layer}intermediate.dense", seen)
        bias = self._weight(f"{layer}intermediate.dense.bias")
        active = self._fused_node("BiasGelu", [wide, bias], f"{layer}active")
        return self._residual(f"{layer}output.", active, seen)

    def _attention(self, part: str, states: str) -> str:
        names = [f"{part}{each}.bias" for each in ("query", "key", "value")]
        weights = np.concatenate([self._weights.matrix(name) for name in names], 1)
        biases = np.concatenate([self._weights.named(name) for name in names])
        inputs = [
            states,
            self._constant(f"{part}weights", weights),
            self._constant(f"{part}bias", biases),
        ]
        return self._fused_node(
            "Attention", [*inputs, "attention_mask"], f"{part}out", num_heads=self._heads
        )

    def _cls_pooling(self, states: str) -> str:
        """Pool by each text's first token."""
        return self._node("Gather", [states, self._constant("zero", 0, np.int64)], "first", axis=1)

    def _mean_pooling(self, states: str) -> str:
        """Pool by the mean of each text's tokens; the sum is a product with the mask."""
        axis = self._constant("axis", [1], np.int64)
        mask = self._node("Cast", ["attention_mask"], "mask", to=TensorProto.FLOAT)
        row = self._node("Unsqueeze", [mask, axis], "row")
        summed = self._node("Squeeze", [self._node("MatMul", [row, states], "sums"), axis], "sum")
        return self._node("Div", [summed, self._node("ReduceSum", [mask, axis], "count")], "mean")

    def _residual(self, part: str, hidden: str, states: str) -> str:
        product = self._matmul(f"{part}dense", hidden)
        inputs = [product, states, *self._norm(f"{part}LayerNorm")]
        bias = self._weight(f"{part}dense.bias")
        return self._fused_node(
            "SkipLayerNormalization", [*inputs, bias], f"{part}states", epsilon=_EPSILON
        )

    def _matmul(self, part: str, states: str) -> str:
        matrix = self._constant(f"{part}.matrix", self._weights.matrix(f"{part}.bias"))
        return self._node("MatMul", [states, matrix], f"{part}.product")

    def _norm(self, part: str) -> list[str]:
        return [self._weight(f"{part}.weight"), self._weight(f"{part}.bias")]

    def _weight(self, suffix: str) -> str:
        return self._constant(suffix, self._weights.named(suffix))

    def _constant(self, name: str, value: npt.ArrayLike, kind: type = np.float32) -> str:
        tensor = numpy_helper.from_array(np.array(value, kind, order="C"), name)
        self._constants.append(tensor)
        return name

    def _fused_node(self, operator: str, inputs: list[str], *names: str, **attributes: Any) -> str:
        node = helper.make_node(operator, inputs, names, domain=_FUSED, **attributes)
        self._nodes.append(node)
        return names[0]

    def _node(self, operator: str, inputs: list[str], name: str, **attributes: Any) -> str:
        """Add a node of a standard ONNX operator."""
        self._nodes.append(helper.make_node(operator, inputs, [name], **attributes))
        return name


def _tensor(name: str, kind: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, ["texts", None])
