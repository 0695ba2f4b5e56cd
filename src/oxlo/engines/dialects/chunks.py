"""Decoding engines' chunks and responses."""

from typing import Final, TypeVar

import msgspec

from oxlo.engines.dialects import failures
from oxlo.engines.dialects.shapes.chunks import Chunk
from oxlo.errors import EngineFailed
from oxlo.wire.decode import sent

_FINISHES: Final = frozenset({"stop", "length", "tool_calls", "content_filter", "function_call"})


class Traits:
    """How one kind of engine differs from others with almost the same API."""

    __slots__ = ("legacy", "name", "separates_reasoning", "usage_per_choice")

    def __init__(
        self,
        name: str,
        *,
        usage_per_choice: bool = False,
        legacy: bool = True,
        separates_reasoning: bool = True,
    ) -> None:
        self.name = name
        #: Usage is reported for each choice instead of the whole response.
        self.usage_per_choice = usage_per_choice
        #: Legacy completions support `echo` and the old format of log probabilities.
        self.legacy = legacy
        #: The engine separates reasoning itself if the chat template opens the reasoning block.
        self.separates_reasoning = separates_reasoning

    def fingerprint(self, reported: str | None, build: str) -> str:
        """`system_fingerprint`: the engine's own, or else its build, with OpenAI's prefix."""
        if not reported or reported.endswith("unknown"):
            reported = build or reported or self.name
        return reported if reported.startswith("fp_") else f"fp_{reported}"


T = TypeVar("T", bound=msgspec.Struct)
_chunk: Final = msgspec.json.Decoder(Chunk)


def read_chunk(payload: bytes) -> Chunk:
    """Decode a chunk or whole response. Raises EngineFailed if malformed, ApiError if an error."""
    return read(_chunk, payload)


def read(decoder: msgspec.json.Decoder[T], payload: bytes) -> T:
    """Decode any type with an `error` field. Raises ApiError."""
    try:
        decoded = decoder.decode(payload)
    except failures.UNREADABLE:
        raise failures.in_stream(payload) from None
    if sent(decoded.error):  # type: ignore[attr-defined]
        raise failures.in_stream(payload)
    return decoded


def finish_of(reason: str) -> str:
    """The finish reason, if OpenAI has it; `stop` for others."""
    return reason if reason in _FINISHES else "stop"


def check_index(index: int, choices: int) -> None:
    """Raises EngineFailed for a choice beyond the requested number."""
    if index >= choices:
        raise EngineFailed
