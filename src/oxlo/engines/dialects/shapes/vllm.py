"""How vLLM counts."""

import msgspec


class Count(msgspec.Struct):
    """Tokens of a prompt."""

    count: int
