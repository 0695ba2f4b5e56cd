"""Inference of one batch: token ids to vectors."""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from onnxruntime import InferenceSession
from onnxruntime.capi.onnxruntime_pybind11_state import EPFail, Fail, RuntimeException

from oxlo.engines.embedding.config import Pooling

Vectors = npt.NDArray[np.float32]
_Input = npt.NDArray[Any]
_DType = type[np.number[Any]]

#: Supported types of input tensors.
_DTYPES: dict[str, _DType] = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}

#: Avoids division by zero for null vectors.
_TINY = np.finfo(np.float32).tiny

log = logging.getLogger(__name__)


class RunFailed(Exception):
    """Inference failed; the cause has been logged."""


class Encoder:
    """An ONNX encoder as exported by sentence-transformers."""

    def __init__(self, session: InferenceSession, pooling: Pooling, *, normalize: bool) -> None:
        self._session = session
        self._pooling = pooling
        self._normalize = normalize
        self._inputs = {each.name: _DTYPES[each.type] for each in session.get_inputs()}
        self._output = session.get_outputs()[0].name

    def vectors(self, rows: Sequence[Sequence[int]]) -> Vectors:
        """Return an array (texts, dimensions) in the order of `rows`. Raises RunFailed."""
        batch = _Batch(rows)
        inputs = {name: _INPUTS[name](batch, dtype) for name, dtype in self._inputs.items()}
        vectors = self._pool(self._run(inputs), batch)
        return normalized(vectors) if self._normalize else vectors

    def _run(self, inputs: dict[str, _Input]) -> Vectors:
        try:
            (output,) = self._session.run([self._output], inputs)
        except (EPFail, Fail, RuntimeException, MemoryError) as error:
            log.exception("engine.run_failed")
            raise RunFailed from error
        return np.asarray(output, np.float32)

    def _pool(self, output: Vectors, batch: "_Batch") -> Vectors:
        if output.ndim == 2:
            return output  # the model includes pooling
        if self._pooling == "cls":
            return output[:, 0]
        mask = batch.mask(np.float32)
        summed = np.einsum("tpn,tp->tn", output, mask)
        return np.asarray(summed / mask.sum(1, keepdims=True), np.float32)


class _Batch:
    """Texts padded to the longest; padding is masked, so its ids do not matter."""

    def __init__(self, rows: Sequence[Sequence[int]]) -> None:
        lengths = [len(row) for row in rows]
        self._rows = rows
        self._shape = len(rows), max(lengths)
        self._uniform = min(lengths) == max(lengths)

    def ids(self, dtype: _DType) -> _Input:
        """Token ids (texts, tokens)."""
        if self._uniform:
            return np.array(self._rows, dtype)
        ids = self.zeros(dtype)
        for number, row in enumerate(self._rows):
            ids[number, : len(row)] = row
        return ids

    def mask(self, dtype: _DType) -> _Input:
        """Attention mask: 1 for tokens, 0 for padding."""
        if self._uniform:
            return np.ones(self._shape, dtype)
        mask = self.zeros(dtype)
        for number, row in enumerate(self._rows):
            mask[number, : len(row)] = 1
        return mask

    def zeros(self, dtype: _DType) -> _Input:
        """Token types, all 0, because each input is a single segment."""
        return np.zeros(self._shape, dtype)


#: Supported inputs by name.
_INPUTS = {
    "input_ids": _Batch.ids,
    "attention_mask": _Batch.mask,
    "token_type_ids": _Batch.zeros,
}


def normalized(vectors: Vectors) -> Vectors:
    """Scale vectors to unit length."""
    lengths = np.sqrt(np.einsum("tn,tn->t", vectors, vectors))
    return np.asarray(vectors / np.maximum(lengths, _TINY)[:, None], np.float32)
