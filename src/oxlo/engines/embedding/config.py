"""Configuration that an embedding engine receives from its parent."""

from typing import Literal

import msgspec

Pooling = Literal["mean", "cls"]


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """All arguments, with defaults resolved."""

    #: Paths; without `token_ids` (OpenAI's cl100k ranks) only texts are accepted.
    model: str
    tokenizer: str
    token_ids: str = ""
    #: The model's id.
    name: str
    #: Maximum tokens per text, including special tokens.
    context: int
    pooling: Pooling
    normalize: bool
    #: Attention heads of a BERT that is to be fused; 0: the file runs unchanged.
    bert_heads: int
    device: Literal["cpu", "cuda"]
    threads: int
    slots: int
    #: Maximum tokens of one run, including padding.
    batch_tokens: int
    #: Fixed overhead of a run, in tokens; more padding than this is not worth sharing a run.
    run_tokens: int
    api_key: str
    port: int = 0
