"""Token usage as engines report it."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

#: Larger counts are nonsense, and more than a receipt can store.
_MOST: Final = (1 << 31) - 1

Tokens = Annotated[int, Meta(ge=0, le=_MOST)]


class Details(msgspec.Struct):
    """Parts of a token count."""

    cached_tokens: Tokens | None = None
    reasoning_tokens: Tokens | None = None


class RawUsage(msgspec.Struct):
    """Usage as engines report it."""

    prompt_tokens: Tokens | None = None
    completion_tokens: Tokens | None = None
    prompt_tokens_details: Details | None = None
    completion_tokens_details: Details | None = None
