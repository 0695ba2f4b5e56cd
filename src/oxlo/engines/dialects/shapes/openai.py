"""The fields that are read of chunks and responses that are otherwise forwarded unchanged."""

from typing import Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

from oxlo.engines.dialects.shapes.chunks import Index
from oxlo.engines.dialects.shapes.usage import RawUsage

Object = dict[str, Any]


class RawMessage(msgspec.Struct, gc=False):
    """A delta of a stream, or the message of a whole response."""

    content: str | None = None
    reasoning_content: str | None = None
    refusal: str | UnsetType | None = UNSET
    tool_calls: list[Object] | None = None


class Choice(msgspec.Struct):
    """One choice, or a piece of one."""

    index: Index = 0
    finish_reason: str | None = None
    delta: RawMessage | None = None
    message: RawMessage | None = None
    text: str | None = None
    logprobs: Raw | UnsetType = UNSET


class Chunk(msgspec.Struct):
    """A chunk or a whole response."""

    choices: list[Choice]
    model: str | None = None
    usage: RawUsage | UnsetType | None = UNSET
    error: Raw | UnsetType = UNSET
