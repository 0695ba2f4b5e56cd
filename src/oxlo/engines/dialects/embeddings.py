"""Embeddings, the same in all dialects: build the request, check and forward the response."""

import msgspec

from oxlo.engines.dialect import Answer, Decided, Dialect, EngineCall, Usage
from oxlo.engines.dialects.chunks import read
from oxlo.engines.dialects.openai import renamed
from oxlo.engines.dialects.shapes.usage import RawUsage
from oxlo.engines.dialects.usage import parsed
from oxlo.errors import EngineFailed
from oxlo.wire.decode import invalid
from oxlo.wire.embeddings import EmbeddingRequest

PATH = "/v1/embeddings"


class _Body(msgspec.Struct, omit_defaults=True):
    model: str
    input: str | list[str | int | list[int]]
    encoding_format: str | None = None
    dimensions: int | None = None
    max_input_tokens: int | None = None


class _Item(msgspec.Struct, gc=False):
    index: int


class _Reply(msgspec.Struct):
    data: list[_Item]
    model: str | None = None
    usage: RawUsage | None = None
    error: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_encode = msgspec.json.Encoder().encode
_reply = msgspec.json.Decoder(_Reply)


def call(dialect: Dialect, request: EmbeddingRequest, decided: Decided) -> EngineCall:
    """Build the engine's request from an allow-list. Raises BadRequest."""
    if not dialect.reads_openai_tokens and not isinstance(request.prompts[0], str):
        raise invalid("input", f"{decided.model.id} takes texts, not OpenAI's token ids.")
    body = _Body(
        model=decided.engine_model,
        input=request.input,
        encoding_format=request.encoding_format,
        dimensions=request.dimensions,
        max_input_tokens=decided.max_input_tokens,
    )
    return EngineCall(PATH, _encode(body))


def reply(body: bytes, request: EmbeddingRequest, decided: Decided) -> Answer:
    """Check that there is one vector for each input, in order. Raises EngineFailed."""
    decoded = read(_reply, body)
    if [item.index for item in decoded.data] != list(range(len(request.prompts))):
        raise EngineFailed
    usage = parsed(decoded.usage) if decoded.usage else Usage()
    return Answer(renamed(body, decoded.model, decided), usage, "stop")
