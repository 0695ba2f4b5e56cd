"""Tokens, as engines tell them."""

from typing import Annotated

import msgspec
from msgspec import Meta

Tokens = Annotated[int, Meta(ge=0)]


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
