"""Deltas of a chat stream, as clients get them."""

import msgspec
from msgspec import UNSET, UnsetType

from oxlo.engines.dialects.shapes.chunks import Logprobs


class FunctionDelta(msgspec.Struct, omit_defaults=True):
    """A function's name, or a piece of its arguments."""

    name: str | UnsetType = UNSET
    arguments: str | UnsetType = UNSET


class CallDelta(msgspec.Struct, omit_defaults=True):
    """A piece of a tool call; `id`, `type` and the name come with the first only."""

    index: int
    id: str | UnsetType = UNSET
    type: str | UnsetType = UNSET
    function: FunctionDelta | UnsetType = UNSET


class Delta(msgspec.Struct, omit_defaults=True):
    """The delta of one event."""

    role: str | UnsetType = UNSET
    content: str | UnsetType | None = UNSET
    refusal: str | UnsetType | None = UNSET
    reasoning_content: str | UnsetType = UNSET
    tool_calls: list[CallDelta] | UnsetType = UNSET


class ChoiceDelta(msgspec.Struct):
    """One choice of an event."""

    index: int
    delta: Delta
    logprobs: Logprobs | None
    finish_reason: str | None
