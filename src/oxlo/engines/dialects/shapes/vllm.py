"""How vLLM counts."""

import msgspec

from oxlo.engines.dialects.shapes import usage


class Count(msgspec.Struct):
    """Tokens of a prompt."""

    count: usage.Tokens
