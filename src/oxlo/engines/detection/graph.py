"""Reading a TensorFlow.js graph model: its operations, and the constants in its weights file."""

import base64
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

#: Data types in which constants may be stored.
_PACKED = ("float32", "float16", "int32")


class Node(msgspec.Struct):
    """One operation."""

    name: str
    op: str
    input: list[str] = []
    attr: dict[str, dict[str, Any]] = {}

    def is_set(self, name: str) -> bool:
        """A boolean attribute."""
        return bool(self.attr[name]["b"])

    def text(self, name: str) -> str:
        """A string attribute."""
        return base64.b64decode(self.attr[name]["s"]).decode()

    def texts(self, name: str) -> list[str]:
        """A list of strings."""
        return [base64.b64decode(each).decode() for each in self._list(name, "s")]

    def spatial(self, name: str) -> list[int]:
        """Height and width of a list in NHWC order."""
        return [int(each) for each in self._list(name, "i")][1:3]

    @property
    def sizes(self) -> list[int]:
        """The shape of an input, in NHWC order."""
        return [int(dim["size"]) for dim in self.attr["shape"]["shape"]["dim"]]

    def _list(self, name: str, kind: str) -> list[str]:
        found: list[str] = self.attr.get(name, {}).get("list", {}).get(kind, [])
        return found


class _Topology(msgspec.Struct):
    node: list[Node]


class _Quantization(msgspec.Struct):
    dtype: str
    #: Only for 8 and 16-bit integers.
    scale: float | None = None


class _Weight(msgspec.Struct):
    name: str
    shape: list[int]
    dtype: str
    quantization: _Quantization | None = None


class _Group(msgspec.Struct):
    weights: list[_Weight]


class _File(msgspec.Struct, rename="camel"):
    model_topology: _Topology
    weights_manifest: list[_Group]


class Graph:
    """Operations and constants, by name."""

    def __init__(self, graph: Path, weights: Path) -> None:
        """Raises msgspec.DecodeError or ValueError if the files are not such a model."""
        read = msgspec.json.decode(graph.read_bytes(), type=_File)
        self.nodes = {node.name: node for node in read.model_topology.node}
        self.constants = dict(_constants(read.weights_manifest, weights.read_bytes()))


def _constants(groups: list[_Group], raw: bytes) -> Iterator[tuple[str, Array]]:
    """Constants are stored one after the other."""
    offset = 0
    for weight in (weight for group in groups for weight in group.weights):
        packed = weight.quantization.dtype if weight.quantization else weight.dtype
        if packed not in _PACKED:
            raise ValueError(f"{weight.name} is packed as {packed}")
        value = np.frombuffer(raw, packed, math.prod(weight.shape), offset)
        offset += value.nbytes
        yield weight.name, value.astype(weight.dtype).reshape(weight.shape)
