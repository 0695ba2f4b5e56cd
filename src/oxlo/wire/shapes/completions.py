"""The request of POST /v1/completions, field for field."""

from typing import Annotated

from msgspec import Meta

from oxlo.wire.shapes.sampling import Sampling

Token = Annotated[int, Meta(ge=0, le=2**31 - 1)]


class CompletionFields(Sampling, kw_only=True):
    """All fields. `prompt` is a string, strings, token ids, or lists of token ids."""

    prompt: str | list[str | Token | list[Token]]
    best_of: int | None = None
    logprobs: int | None = None
    echo: bool | None = None
    suffix: str | None = None
