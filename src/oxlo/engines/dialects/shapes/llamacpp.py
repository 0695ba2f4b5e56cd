"""How llama.cpp counts."""

import msgspec

from oxlo.engines.dialects.shapes import usage


class Count(msgspec.Struct):
    """Tokens of a prompt."""

    input_tokens: usage.Tokens


class Tokens(msgspec.Struct):
    """Tokens of a text, one by one."""

    tokens: list[int]
