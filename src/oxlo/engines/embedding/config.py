"""What an embedding engine is told by its parent."""

from typing import Literal

import msgspec

Pooling = Literal["mean", "cls"]


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """Every argument that is decided."""

    #: Paths; without `token_ids` (OpenAI's cl100k ranks) callers have to send texts.
    model: str
    tokenizer: str
    token_ids: str = ""
    #: The model's id.
    name: str
    #: Most tokens of one text, those that the tokenizer adds included.
    context: int
    pooling: Pooling
    normalize: bool
    #: The model is a BERT with so many heads, to be written anew; 0: the file is run as it is.
    bert_heads: int
    device: Literal["cpu", "cuda"]
    threads: int
    slots: int
    #: Tokens of one run, padding included.
    batch_tokens: int
    #: What a run costs beside its tokens, in tokens: more padding than that is not worth sharing.
    run_tokens: int
    api_key: str
    port: int = 0
