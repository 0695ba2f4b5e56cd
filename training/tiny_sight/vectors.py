"""The vectors that a language model has for words: rows of the embeddings in its GGUF file."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

_STRING, _ARRAY = 8, 9
_SCALARS = {
    0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d",
}  # fmt: skip
_ALIGNMENT = 32
_TOKENS, _TENSOR = "tokenizer.ggml.tokens", "token_embd.weight"
#: Weights of one block, and its bytes, of the types that are known here.
_BLOCK = 32
Q5_0, Q8_0 = 6, 8
_BYTES = {Q5_0: 22, Q8_0: 34}
#: How byte-level tokenizers write a space and a line's end.
_SPELT = str.maketrans({" ": "\u0120", "\n": "\u010a"})


@dataclass(frozen=True, slots=True)
class _Tensor:
    shape: tuple[int, ...]
    kind: int
    offset: int


def of(path: Path, words: Sequence[str]) -> NDArray[np.float32]:
    """(words, width). Raises KeyError for a word that is not one token of the model."""
    with path.open("rb") as file:
        head, tensors, start = _head(file)
        numbers = {token: number for number, token in enumerate(head[_TOKENS])}
        table = tensors[_TENSOR]
        rows = [numbers[word.translate(_SPELT)] for word in words]
        return np.stack([_row(file, start + table.offset, table, row) for row in rows])


def _row(file: BinaryIO, start: int, table: _Tensor, row: int) -> NDArray[np.float32]:
    blocks = table.shape[0] // _BLOCK
    size = blocks * _BYTES[table.kind]
    file.seek(start + row * size)
    raw = np.frombuffer(file.read(size), np.uint8).reshape(blocks, -1)
    scale = raw[:, :2].copy().view(np.float16).astype(np.float32)
    return np.asarray(scale * _LEVELS[table.kind](raw[:, 2:]), np.float32).reshape(-1)


def _five_bits(raw: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Four bits of each weight, those of the second half above those of the first, and a fifth."""
    fifth = np.unpackbits(raw[:, :4], axis=1, bitorder="little")
    low = np.concatenate([raw[:, 4:] & 15, raw[:, 4:] >> 4], axis=1)
    return (low + 16 * fifth).astype(np.float32) - 16


def _eight_bits(raw: NDArray[np.uint8]) -> NDArray[np.float32]:
    return raw.view(np.int8).astype(np.float32)


_LEVELS = {Q5_0: _five_bits, Q8_0: _eight_bits}


def _head(file: BinaryIO) -> tuple[dict[str, Any], dict[str, _Tensor], int]:
    """The file's metadata, its tensors by name, and where their data begins."""
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
