"""A batch of token ids through the model: one vector each."""

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
_Kind = type[np.number[Any]]

#: What a model may read ids as.
_KINDS: dict[str, _Kind] = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}

#: Instead of a length of nothing.
_TINY = np.finfo(np.float32).tiny

log = logging.getLogger(__name__)


class RunFailed(Exception):
    """The run failed; why is in the log."""


class Encoder:
    """An encoder in ONNX, as sentence-transformers and its kin export them."""

    def __init__(self, session: InferenceSession, pooling: Pooling, *, normalize: bool) -> None:
        self._session = session
        self._pooling = pooling
        self._normalize = normalize
        self._inputs = {given.name: _KINDS[given.type] for given in session.get_inputs()}
        self._output = session.get_outputs()[0].name

    def vectors(self, rows: Sequence[Sequence[int]]) -> Vectors:
        """(texts, numbers of a vector), in the order of `rows`. Raises RunFailed."""
        batch = _Batch(rows)
        fed = {name: _INPUTS[name](batch, kind) for name, kind in self._inputs.items()}
        vectors = self._pooled(self._run(fed), batch)
        return unit(vectors) if self._normalize else vectors

    def _run(self, fed: dict[str, _Input]) -> Vectors:
        try:
            (told,) = self._session.run([self._output], fed)
        except (EPFail, Fail, RuntimeException, MemoryError) as error:
            log.exception("engine.run_failed")
            raise RunFailed from error
        return np.asarray(told, np.float32)

    def _pooled(self, told: Vectors, batch: "_Batch") -> Vectors:
        if told.ndim == 2:
            return told  # the model pools itself
        if self._pooling == "cls":
            return told[:, 0]
        mask = batch.mask(np.float32)
        summed = np.einsum("tpn,tp->tn", told, mask)
        return np.asarray(summed / mask.sum(1, keepdims=True), np.float32)


class _Batch:
    """Texts of a run, padded to the longest. Padding is masked, so its ids do not matter."""

    def __init__(self, rows: Sequence[Sequence[int]]) -> None:
        lengths = [len(row) for row in rows]
        self._rows = rows
        self._shape = len(rows), max(lengths)
        self._even = min(lengths) == max(lengths)

    def ids(self, kind: _Kind) -> _Input:
        """(texts, tokens)."""
        if self._even:
            return np.array(self._rows, kind)
        ids = self.zeros(kind)
        for number, row in enumerate(self._rows):
            ids[number, : len(row)] = row
        return ids

    def mask(self, kind: _Kind) -> _Input:
        """1 where a token is."""
        if self._even:
            return np.ones(self._shape, kind)
        mask = self.zeros(kind)
        for number, row in enumerate(self._rows):
            mask[number, : len(row)] = 1
        return mask

    def zeros(self, kind: _Kind) -> _Input:
        """The types of all tokens: each text is a first one."""
        return np.zeros(self._shape, kind)


#: What models may ask for.
_INPUTS = {
    "input_ids": _Batch.ids,
    "attention_mask": _Batch.mask,
    "token_type_ids": _Batch.zeros,
}


def unit(vectors: Vectors) -> Vectors:
    """The same directions, of length 1."""
    lengths = np.sqrt(np.einsum("tn,tn->t", vectors, vectors))
    return np.asarray(vectors / np.maximum(lengths, _TINY)[:, None], np.float32)
