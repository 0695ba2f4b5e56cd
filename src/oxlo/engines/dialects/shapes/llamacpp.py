"""What llama.cpp is sent beyond OpenAI's fields, and how it counts."""

import msgspec


class Samplers(msgspec.Struct, kw_only=True):
    """llama.cpp's samplers, always sent: its own defaults are not neutral."""

    top_k: int | None
    min_p: float | None
    typical_p: float | None
    repeat_penalty: float | None
    mirostat: int | None
    mirostat_tau: float | None
    mirostat_eta: float | None
    cache_prompt: bool = True


class Count(msgspec.Struct):
    """Tokens of a prompt."""

    input_tokens: int


class Tokens(msgspec.Struct):
    """Tokens of a text, one by one."""

    tokens: list[int]
