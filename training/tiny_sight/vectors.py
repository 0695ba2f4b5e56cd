"""A reader of a language model's GGUF file: tensors, tokens and their embeddings."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tiny_sight.quants import PACKINGS, unpacked

_STRING, _ARRAY = 8, 9
_SCALARS = {
    0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d",
}  # fmt: skip
_ALIGNMENT = 32
_TOKENS, _TENSOR = "tokenizer.ggml.tokens", "token_embd.weight"
#: Byte-level tokenizers' characters for space and newline.
_SPELT = str.maketrans({" ": "\u0120", "\n": "\u010a"})


@dataclass(frozen=True, slots=True)
class _Tensor:
    shape: tuple[int, ...]
    kind: int
    offset: int


class File:
    """A GGUF file: its metadata, and tensors that are read on demand."""

    def __init__(self, path: Path) -> None:
        """Read the metadata. Raises OSError if the file cannot be read."""
        self._path = path
        with path.open("rb") as file:
            self.head, self.tensors, self._start = _head(file)

    def tensor(self, name: str) -> NDArray[np.float32]:
        """Read a tensor. Raises KeyError if it does not exist."""
        shape = self.tensors[name].shape[::-1]
        return self._rows(name, range(int(np.prod(shape[:-1])))).reshape(shape)

    def words(self, words: Sequence[str]) -> NDArray[np.float32]:
        """Return embeddings, (words, width). Raises KeyError for words that are not one token."""
        numbers = {token: number for number, token in enumerate(self.head[_TOKENS])}
        places = [numbers[word.translate(_SPELT)] for word in words]
        return np.stack([self._rows(_TENSOR, range(place, place + 1)) for place in places])

    def _rows(self, name: str, rows: range) -> NDArray[np.float32]:
        tensor = self.tensors[name]
        packing = PACKINGS[tensor.kind]
        size = tensor.shape[0] // packing.weights * packing.size
        with self._path.open("rb") as file:
            file.seek(self._start + tensor.offset + rows.start * size)
            return unpacked(tensor.kind, file.read(len(rows) * size))


def of(path: Path, words: Sequence[str]) -> NDArray[np.float32]:
    """Return embeddings, (words, width). Raises KeyError for words that are not one token."""
    return File(path).words(words)


def _head(file: BinaryIO) -> tuple[dict[str, Any], dict[str, _Tensor], int]:
    """Return the metadata, the tensors by name, and the offset of their data."""
    _magic, _version, many, entries = _unpack(file, "4sIQQ")
    head = {}
    for _ in range(entries):
        name = _text(file)
        head[name] = _value(file, _unpack(file, "I")[0])
    tensors = dict(_tensor(file) for _ in range(many))
    return head, tensors, -(-file.tell() // _ALIGNMENT) * _ALIGNMENT


def _tensor(file: BinaryIO) -> tuple[str, _Tensor]:
    name = _text(file)
    (dimensions,) = _unpack(file, "I")
    *shape, kind, offset = _unpack(file, f"{dimensions}QIQ")
    return name, _Tensor(tuple(shape), kind, offset)


def _value(file: BinaryIO, kind: int) -> Any:
    if kind == _STRING:
        return _text(file)
    if kind != _ARRAY:
        return _unpack(file, _SCALARS[kind])[0]
    kind, count = _unpack(file, "IQ")
    return [_value(file, kind) for _ in range(count)]


def _text(file: BinaryIO) -> str:
    (length,) = _unpack(file, "Q")
    return file.read(length).decode()


def _unpack(file: BinaryIO, layout: str) -> tuple[Any, ...]:
    layout = f"<{layout}"
    return struct.unpack(layout, file.read(struct.calcsize(layout)))
