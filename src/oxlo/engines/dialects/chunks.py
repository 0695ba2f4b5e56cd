"""What engines say in chats, read by type: what is not listed here never reaches a client."""

from typing import Annotated, TypeVar

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from oxlo.engines.dialects import failures
from oxlo.engines.dialects.usage import RawUsage
from oxlo.errors import EngineFailed
from oxlo.wire.decode import sent

Index = Annotated[int, Meta(ge=0)]

_FINISHES = frozenset({"stop", "length", "tool_calls", "content_filter", "function_call"})


class Ways(msgspec.Struct, frozen=True):
    """How an engine differs from others that are read like it."""

    name: str
    #: Each choice's usage is told apart, instead of that of the whole answer.
    usage_per_choice: bool = False
    #: Legacy completions repeat the prompt when asked, and have the old log probabilities.
    legacy: bool = True

    def fingerprint(self, told: str | None) -> str:
        """OpenAI's spelling of what the engine calls itself."""
        told = told or self.name
        return told if told.startswith("fp_") else f"fp_{told}"


class TopLogprob(msgspec.Struct):
    """An alternative token."""

    token: str
    logprob: float
    bytes: list[int] | None = None


class Logprob(msgspec.Struct):
    """A token and its alternatives; an engine's token id is left out."""

    token: str
    logprob: float
    bytes: list[int] | None = None
    top_logprobs: list[TopLogprob] = []


class Logprobs(msgspec.Struct):
    """Log probabilities of an answer."""

    content: list[Logprob] | None = None
    refusal: list[Logprob] | None = None


class Function(msgspec.Struct):
    """A function's name, or a piece of its arguments."""

    name: str | None = None
    arguments: str | None = None


class Call(msgspec.Struct):
    """A tool call, or a piece of one."""

    index: Index | None = None
    id: str | None = None
    function: Function | None = None


class Said(msgspec.Struct):
    """A delta of a stream, or the message of a whole reply."""

    content: str | None = None
    refusal: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[Call] | None = None


class Choice(msgspec.Struct):
    """One choice, or a piece of one."""

    index: Index = 0
    finish_reason: str | None = None
    delta: Said | None = None
    message: Said | None = None
    logprobs: Logprobs | None = None


class Chunk(msgspec.Struct):
    """A chunk of a stream, or a whole reply."""

    choices: list[Choice]
    id: str = ""
    created: int = 0
    system_fingerprint: str | None = None
    usage: RawUsage | None = None
    error: Raw | UnsetType = UNSET


T = TypeVar("T", bound=msgspec.Struct)
_chunk = msgspec.json.Decoder(Chunk)


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
