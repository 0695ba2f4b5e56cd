"""One embeddings request: read, embedded, written."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from oxlo.engines.embedding.batcher import Batcher
from oxlo.engines.embedding.encoder import Vectors, unit
from oxlo.engines.embedding.texts import Texts
from oxlo.serving.work import Job
from oxlo.wire.decode import Decoder, invalid
from oxlo.wire.embeddings import EmbeddingRequest, check_items

#: A 32-bit float in [-1, 1] has no more to tell; as a 64-bit one it would be written in 20 digits.
_DECIMALS = 9


class Asked(EmbeddingRequest):
    """What the gateway sends: the caller's request, and the plan's cap on each item."""

    max_input_tokens: int | None = None


class _Item(msgspec.Struct, frozen=True):
    #: Bytes are written in base64.
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


_decoder: Decoder[Asked] = Decoder(Asked)
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class Embedding:
    """A model that is ready."""

    name: str
    texts: Texts
    batcher: Batcher

    def answer(self, job: Job, body: bytes) -> bytes:
        """The reply to a request; blocks. Raises ApiError, Cancelled or RunFailed."""
        asked, _ = _decoder.decode(body)
        check_items(asked)
        rows = self.texts.read(asked.prompts, asked.max_input_tokens)
        vectors = _cut(self.batcher.vectors(job, rows), asked.dimensions)
        tokens = sum(map(len, rows))
        return _encode(_Reply(_items(vectors, asked), self.name, _Usage(tokens, tokens)))


def _cut(vectors: Vectors, dimensions: int | None) -> Vectors:
    """The first numbers only, for models that are trained so that these will do."""
    width = vectors.shape[1]
    if dimensions is None or dimensions == width:
        return vectors
    if not 0 < dimensions < width:
        raise invalid("dimensions", f"this model's vectors have {width} numbers.")
    return unit(vectors[:, :dimensions])


def _items(vectors: Vectors, asked: Asked) -> list[_Item]:
    if asked.encoding_format == "base64":
        rows: Sequence[bytes | list[float]] = [v.tobytes() for v in vectors.astype("<f4")]
    else:
        rows = np.round(vectors.astype(np.float64), _DECIMALS).tolist()
    return [_Item(row, index) for index, row in enumerate(rows)]
