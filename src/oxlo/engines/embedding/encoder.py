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
_Ids = npt.NDArray[np.integer[Any]]

#: What a model may read ids as.
_KINDS = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}

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
        ids, mask = _padded(rows)
        fed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        fed = {name: fed[name].astype(kind, copy=False) for name, kind in self._inputs.items()}
        vectors = self._pooled(self._run(fed), mask)
        return unit(vectors) if self._normalize else vectors

    def _run(self, fed: dict[str, _Ids]) -> Vectors:
        try:
            (told,) = self._session.run([self._output], fed)
        except (EPFail, Fail, RuntimeException, MemoryError) as error:
            log.exception("engine.run_failed")
            raise RunFailed from error
        return np.asarray(told, np.float32)

    def _pooled(self, told: Vectors, mask: _Ids) -> Vectors:
        if told.ndim == 2:
            return told  # the model pools itself
        if self._pooling == "cls":
            return told[:, 0]
        summed = np.einsum("tpn,tp->tn", told, mask.astype(np.float32))
        return np.asarray(summed / mask.sum(1, keepdims=True), np.float32)


def _padded(rows: Sequence[Sequence[int]]) -> tuple[_Ids, _Ids]:
    """Token ids, and where they are; padding is masked, so its ids do not matter."""
    longest = max(map(len, rows))
    if len(rows) * longest == sum(map(len, rows)):  # nothing to pad
        ids = np.array(rows, np.int64)
        return ids, np.ones_like(ids)
    shape = len(rows), longest
    ids, mask = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = row
        mask[number, : len(row)] = 1
    return ids, mask


def unit(vectors: Vectors) -> Vectors:
    """The same directions, of length 1."""
    lengths = np.sqrt(np.einsum("tn,tn->t", vectors, vectors))
    return np.asarray(vectors / np.maximum(lengths, _TINY)[:, None], np.float32)
