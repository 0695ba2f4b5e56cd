"""POST /v1/embeddings: decoding and validating requests."""

from typing import Final, Literal, cast

import msgspec

from oxlo.catalogue import Model
from oxlo.catalogue.parameters import parameters
from oxlo.wire.decode import Decoder, invalid, unsupported
from oxlo.wire.ranges import check_ranges
from oxlo.wire.request import Whole
from oxlo.wire.shapes.completions import Token

#: OpenAI's limit on items; the plan's input limit applies to each item (D17).
MAX_ITEMS = 2048
#: The model of requests that name none.
DEFAULT_MODEL: Final = "bge-large"


class EmbeddingRequest(msgspec.Struct, Whole, kw_only=True):
    """An embedding request: texts, or token ids."""

    input: str | list[str | Token | list[Token]]
    model: str = DEFAULT_MODEL
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: int | None = None
    user: str | None = None

    @property
    def prompts(self) -> list[str | list[int]]:
        """The texts or lists of token ids, always as a list."""
        given = self.input
        if isinstance(given, str):
            return [given]
        if isinstance(given[0], int):
            return [[token for token in given if isinstance(token, int)]]
        return cast(list[str | list[int]], given)  # `check_items` has seen to it

    @property
    def text_bytes(self) -> int:
        """Size of the longest item, because the limit applies to each."""
        return max(map(_size, self.prompts))


def _size(item: str | list[int]) -> int:
    return len(item.encode()) if isinstance(item, str) else len(item)


#: Vectors of different models are not comparable, so there is no fallback.
_REFUSED = {"models": "vectors of another model cannot be compared with those of the first."}
#: Other APIs' names of `input`.
_ELSEWHERE = dict.fromkeys(
    ("inputs", "text", "texts", "prompt", "content"), "What is embedded is called 'input' here."
)
_decoder: Decoder[EmbeddingRequest] = Decoder(EmbeddingRequest, _REFUSED, elsewhere=_ELSEWHERE)


def decode(body: bytes) -> tuple[EmbeddingRequest, tuple[str, ...]]:
    """Decode a request, and name its unknown fields. Raises BadRequest."""
    request, unknown = _decoder.decode(body)
    check_items(request)
    return request, unknown


def check_items(request: EmbeddingRequest) -> None:
    """Validate the input. Raises BadRequest."""
    if isinstance(request.input, list):
        _check_list(request.input)
    if not all(request.prompts):
        raise invalid("input", "a text may not be empty.")


def _check_list(given: list[str | int | list[int]]) -> None:
    if len({type(item) for item in given}) != 1:
        raise invalid("input", "give a text, texts, token ids or lists of token ids.")
    if not isinstance(given[0], int) and len(given) > MAX_ITEMS:
        raise invalid("input", f"at most {MAX_ITEMS} items, got {len(given)}.")


def validate(request: EmbeddingRequest, model: Model) -> None:
    """Validate a request for a model. Raises BadRequest."""
    if request.dimensions is not None and "dimensions" not in parameters(model):
        raise unsupported("dimensions", f"{model.id} has one size of vectors.")
    check_ranges(request, model)
