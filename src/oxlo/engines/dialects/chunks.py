"""Chunks and replies of engines, read by type."""

from typing import Final, TypeVar

import msgspec

from oxlo.engines.dialects import failures
from oxlo.engines.dialects.shapes.chunks import Chunk
from oxlo.errors import EngineFailed
from oxlo.wire.decode import sent

_FINISHES: Final = frozenset({"stop", "length", "tool_calls", "content_filter", "function_call"})


class Ways:
    """How an engine differs from others that are read like it."""

    __slots__ = ("legacy", "name", "tells_thoughts", "usage_per_choice")

    def __init__(
        self,
        name: str,
        *,
        usage_per_choice: bool = False,
        legacy: bool = True,
        tells_thoughts: bool = True,
    ) -> None:
        self.name = name
        #: Each choice's usage is told apart, instead of that of the whole answer.
        self.usage_per_choice = usage_per_choice
        #: Legacy completions repeat the prompt when asked, and have the old log probabilities.
        self.legacy = legacy
        #: It is known to tell thoughts apart that the model's template has begun.
        self.tells_thoughts = tells_thoughts

    def fingerprint(self, told: str | None, build: str) -> str:
        """OpenAI's spelling of what the engine calls itself, or else of what its fleet does."""
        if not told or told.endswith("unknown"):
            told = build or told or self.name
        return told if told.startswith("fp_") else f"fp_{told}"


T = TypeVar("T", bound=msgspec.Struct)
_chunk: Final = msgspec.json.Decoder(Chunk)


def read_chunk(payload: bytes) -> Chunk:
    """One chunk or reply. Raises EngineFailed when it is none, ApiError when it is an error."""
    return read(_chunk, payload)


def read(decoder: msgspec.json.Decoder[T], payload: bytes) -> T:
    """The same, of any type that has an `error` field. Raises ApiError."""
    try:
        told = decoder.decode(payload)
    except failures.UNREADABLE:
        raise failures.in_stream(payload) from None
    if sent(told.error):  # type: ignore[attr-defined]
        raise failures.in_stream(payload)
    return told


def finish_of(told: str) -> str:
    """OpenAI's word for why an answer ended."""
    return told if told in _FINISHES else "stop"


def check_index(index: int, choices: int) -> None:
    """Raises EngineFailed for a choice that nobody asked for."""
    if index >= choices:
        raise EngineFailed
