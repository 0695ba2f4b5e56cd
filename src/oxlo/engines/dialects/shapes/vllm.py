"""vLLM's responses to counting requests."""

import msgspec

from oxlo.engines.dialects.shapes import usage


class Count(msgspec.Struct):
    """Number of tokens of a prompt."""

    count: usage.Tokens
