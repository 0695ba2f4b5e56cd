"""Dequantization of llama.cpp's block formats."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_Bytes = NDArray[np.uint8]
_Numbers = NDArray[np.float32]
#: Ids of GGUF's tensor types.
F32, Q5_0, Q8_0, Q4_K, Q6_K = 0, 6, 8, 12, 14


@dataclass(frozen=True, slots=True)
class Packing:
    """The block format of a tensor type."""

    #: Weights per block, and bytes per block.
    weights: int
    size: int
    #: Decodes blocks (N, size) to floats (N, weights).
    unpack: Callable[[_Bytes], _Numbers]


def unpacked(kind: int, raw: bytes) -> _Numbers:
    """Decode a tensor to a flat array. Raises KeyError for unsupported types."""
    packing = PACKINGS[kind]
    blocks = np.frombuffer(raw, np.uint8).reshape(-1, packing.size)
    return packing.unpack(blocks).reshape(-1)


def _whole(raw: _Bytes) -> _Numbers:
    return raw.copy().view(np.float32)


def _five_bits(raw: _Bytes) -> _Numbers:
    """Decode Q5_0: four low bits with the second half in the high nibbles, and a fifth bit."""
    fifth = np.unpackbits(raw[:, 2:6], axis=1, bitorder="little")
    low = np.concatenate([raw[:, 6:] & 15, raw[:, 6:] >> 4], axis=1)
    return _half(raw[:, :2]) * ((low + 16 * fifth).astype(np.float32) - 16)


def _eight_bits(raw: _Bytes) -> _Numbers:
    return _half(raw[:, :2]) * raw[:, 2:].view(np.int8).astype(np.float32)


def _four_bits(raw: _Bytes) -> _Numbers:
    """Decode Q4_K: eight groups of 32, each with a scale and a minimum of six bits."""
    scale, least = _half(raw[:, :2]), _half(raw[:, 2:4])
    first, second, rest = raw[:, 4:8], raw[:, 8:12], raw[:, 12:16]
    scales = np.concatenate([first & 63, (rest & 15) | (first >> 6 << 4)], axis=1)
    leasts = np.concatenate([second & 63, (rest >> 4) | (second >> 6 << 4)], axis=1)
    pairs = raw[:, 16:].reshape(-1, 4, 1, 32)
    levels = np.concatenate([pairs & 15, pairs >> 4], axis=2).reshape(-1, 8, 32)
    numbers = (scale * scales)[:, :, None] * levels - (least * leasts)[:, :, None]
    return np.asarray(numbers, np.float32).reshape(-1, 256)


def _six_bits(raw: _Bytes) -> _Numbers:
    """Decode Q6_K: sixteen groups of 16 with scales; two bits are stored separately."""
    low = raw[:, :128].reshape(-1, 2, 1, 64)
    low = np.concatenate([low & 15, low >> 4], axis=2).reshape(-1, 2, 4, 32)
    high = raw[:, 128:192].reshape(-1, 2, 1, 32) >> np.array([0, 2, 4, 6], np.uint8)[:, None] & 3
    levels = (low | high << 4).astype(np.float32).reshape(-1, 16, 16) - 32
    scales = _half(raw[:, 208:]) * raw[:, 192:208].view(np.int8).astype(np.float32)
    return np.asarray(scales[:, :, None] * levels, np.float32).reshape(-1, 256)


def _half(raw: _Bytes) -> _Numbers:
    return raw.copy().view(np.float16).astype(np.float32)


PACKINGS = {
    F32: Packing(1, 4, _whole),
    Q5_0: Packing(32, 22, _five_bits),
    Q8_0: Packing(32, 34, _eight_bits),
    Q4_K: Packing(256, 144, _four_bits),
    Q6_K: Packing(256, 210, _six_bits),
}
