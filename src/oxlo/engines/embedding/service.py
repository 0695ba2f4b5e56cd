"""Handling of one embeddings request."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from oxlo.engines.embedding.batcher import Batcher
from oxlo.engines.embedding.encoder import Vectors, normalized
from oxlo.engines.embedding.texts import Texts
from oxlo.serving.work import Job
from oxlo.wire.decode import Decoder, invalid
from oxlo.wire.embeddings import EmbeddingRequest, check_items

#: Enough for a 32-bit float in [-1, 1]; as a 64-bit float it would take 20 digits.
_DECIMALS = 9


class EngineRequest(EmbeddingRequest):
    """The client's request plus the plan's limit per item, as sent by the gateway."""

    max_input_tokens: int | None = None


class _Item(msgspec.Struct, frozen=True):
    #: Bytes are encoded in base64.
    embedding: list[float] | bytes
    index: int
    object: str = "embedding"


class _Usage(msgspec.Struct, frozen=True):
    prompt_tokens: int
    total_tokens: int


class _Reply(msgspec.Struct, frozen=True):
    data: list[_Item]
    model: str
    usage: _Usage
    object: str = "list"


_decoder: Decoder[EngineRequest] = Decoder(EngineRequest)
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class Embedding:
    """A loaded model."""

    name: str
    texts: Texts
    batcher: Batcher

    def answer(self, job: Job, body: bytes) -> bytes:
        """Answer a JSON request; blocks. Raises ApiError, Cancelled or RunFailed."""
        request, _ = _decoder.decode(body)
        check_items(request)
        rows = self.texts.tokenize(request.prompts, request.max_input_tokens)
        vectors = _truncate(self.batcher.vectors(job, rows), request.dimensions)
        tokens = sum(map(len, rows))
        return _encode(_Reply(_items(vectors, request), self.name, _Usage(tokens, tokens)))


def _truncate(vectors: Vectors, dimensions: int | None) -> Vectors:
    """Keep the first dimensions, for models trained with Matryoshka representations."""
    width = vectors.shape[1]
    if dimensions is None or dimensions == width:
        return vectors
    if not 0 < dimensions < width:
        raise invalid("dimensions", f"this model's vectors have {width} numbers.")
    return normalized(vectors[:, :dimensions])


def _items(vectors: Vectors, request: EngineRequest) -> list[_Item]:
    if request.encoding_format == "base64":
        rows: Sequence[bytes | list[float]] = [v.tobytes() for v in vectors.astype("<f4")]
    else:
        rows = np.round(vectors.astype(np.float64), _DECIMALS).tolist()
    return [_Item(row, index) for index, row in enumerate(rows)]
