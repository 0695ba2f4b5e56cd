"""Engines' legacy completions, and the old format of log probabilities."""

import msgspec
from msgspec import UNSET, Raw, UnsetType

from oxlo.engines.dialects.shapes.chunks import Index
from oxlo.engines.dialects.shapes.usage import RawUsage


class TextChoice(msgspec.Struct):
    """One choice, or a piece of one."""

    text: str = ""
    index: Index = 0
    logprobs: Raw | UnsetType = UNSET
    finish_reason: str | None = None


class TextChunk(msgspec.Struct):
    """A chunk of a stream, or a whole reply."""

    choices: list[TextChoice]
    id: str = ""
    created: int = 0
    system_fingerprint: str | None = None
    usage: RawUsage | None = None
    error: Raw | UnsetType = UNSET


class Legacy(msgspec.Struct):
    """The old format of log probabilities."""

    tokens: list[str] = []
    token_logprobs: list[float | None] = []
    top_logprobs: list[dict[str, float] | None] | None = None
    text_offset: list[int] = []
