"""A writer of GGUF files."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_ALIGNMENT = 32
#: Ids of GGUF's tensor types.
_F32, _F16 = 0, 1


@dataclass(frozen=True, slots=True)
class Raw:
    """An encoded tensor, with its dimensions in numpy's order."""

    kind: int
    shape: tuple[int, ...]
    data: bytes


def write(
    path: Path, head: Mapping[str, object], tensors: Mapping[str, NDArray[np.generic] | Raw]
) -> None:
    """Write metadata and tensors: arrays of 16- or 32-bit floats, or raw tensors."""
    infos, data = b"", b""
    for name, given in tensors.items():
        tensor = given if isinstance(given, Raw) else _raw(given)
        size = len(tensor.shape)
        place = struct.pack(f"<I{size}QIQ", size, *tensor.shape[::-1], tensor.kind, len(data))
        infos += _text(name) + place
        data += _aligned(tensor.data)
    start = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(head))
    start += b"".join(_text(name) + _value(value) for name, value in head.items())
    path.write_bytes(_aligned(start + infos) + data)


def _raw(array: NDArray[np.generic]) -> Raw:
    kind = _F16 if array.dtype == np.float16 else _F32
    return Raw(kind, array.shape, np.ascontiguousarray(array).tobytes())


def _text(text: str) -> bytes:
    content = text.encode()
    return struct.pack("<Q", len(content)) + content


def _value(value: object) -> bytes:
    """Encode a metadata value, preceded by its type id."""
    match value:
        case bool():
            return struct.pack("<I?", 7, value)
        case int():
            return struct.pack("<II", 4, value)
        case float():
            return struct.pack("<If", 6, value)
        case str():
            return struct.pack("<I", 8) + _text(value)
        case [int(), *_]:
            return struct.pack(f"<IIQ{len(value)}i", 9, 5, len(value), *value)
        case [float(), *_]:
            return struct.pack(f"<IIQ{len(value)}f", 9, 6, len(value), *value)
        case [str(), *_]:
            return struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(_text, value))
    raise TypeError(value)


def _aligned(data: bytes) -> bytes:
    return data + bytes(-len(data) % _ALIGNMENT)
