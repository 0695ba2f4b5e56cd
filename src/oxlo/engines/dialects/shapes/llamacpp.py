"""How llama.cpp counts."""

import msgspec


class Count(msgspec.Struct):
    """Tokens of a prompt."""

    input_tokens: int


class Tokens(msgspec.Struct):
    """Tokens of a text, one by one."""

    tokens: list[int]
