"""Engines' chat responses; fields that are not listed here never reach a client."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from oxlo.engines.dialects.shapes.usage import RawUsage

Index = Annotated[int, Meta(ge=0)]


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


class RawMessage(msgspec.Struct):
    """A delta of a stream, or the message of a whole response."""

    content: str | None = None
    refusal: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[Call] | None = None


class Choice(msgspec.Struct):
    """One choice, or a piece of one."""

    index: Index = 0
    finish_reason: str | None = None
    delta: RawMessage | None = None
    message: RawMessage | None = None
    logprobs: Logprobs | None = None


class Chunk(msgspec.Struct):
    """A chunk of a stream, or a whole response."""

    choices: list[Choice]
    id: str = ""
    created: int = 0
    system_fingerprint: str | None = None
    usage: RawUsage | None = None
    error: Raw | UnsetType = UNSET
