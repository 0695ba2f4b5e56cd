"""What is looked at of chunks and replies that are passed on as they came."""

from typing import Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

from oxlo.engines.dialects.shapes.chunks import Index
from oxlo.engines.dialects.shapes.usage import RawUsage

Object = dict[str, Any]


class Said(msgspec.Struct, gc=False):
    """A delta of a stream, or the message of a whole reply."""

    content: str | None = None
    reasoning_content: str | None = None
    refusal: str | UnsetType | None = UNSET
    tool_calls: list[Object] | None = None


class Choice(msgspec.Struct):
    """One choice, or a piece of one."""

    index: Index = 0
    finish_reason: str | None = None
    delta: Said | None = None
    message: Said | None = None
    text: str | None = None
    logprobs: Raw | UnsetType = UNSET


class Chunk(msgspec.Struct):
    """All that is looked at; a chunk or a whole reply."""

    choices: list[Choice]
    model: str | None = None
    usage: RawUsage | UnsetType | None = UNSET
    error: Raw | UnsetType = UNSET
