"""What vLLM is sent beyond OpenAI's fields, and how it counts."""

import msgspec


class Samplers(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Always sent: a model's own generation defaults would slip in instead."""

    priority: int
    top_k: int | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None


class Count(msgspec.Struct):
    """Tokens of a prompt."""

    count: int
