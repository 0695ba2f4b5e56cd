"""llama.cpp's responses to counting requests."""

import msgspec

from oxlo.engines.dialects.shapes import usage


class Count(msgspec.Struct):
    """Number of tokens of a prompt."""

    input_tokens: usage.Tokens


class Tokens(msgspec.Struct):
    """The tokens of a text."""

    tokens: list[int]
