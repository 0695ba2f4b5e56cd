"""The messages of a chat, and their parts."""

from typing import Literal

import msgspec
from msgspec import UNSET, Raw, UnsetType

Role = Literal["system", "developer", "user", "assistant", "tool", "function"]
PartKind = Literal["text", "image_url", "input_audio", "file", "refusal"]


class Called(msgspec.Struct):
    """A function's name, and its arguments as JSON text."""

    name: str
    arguments: str


class ToolCall(msgspec.Struct):
    """A tool call in an assistant's message."""

    id: str
    function: Called
    type: Literal["function"] = "function"


class Message(msgspec.Struct, omit_defaults=True):
    """A message, with the fields that engines get; its content stays undecoded."""

    role: Role
    content: Raw | UnsetType = UNSET
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    name: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    function_call: Called | None = None


class Url(msgspec.Struct):
    """`image_url`: the URL of an image, and the level of detail."""

    url: str
    detail: Literal["auto", "low", "high", "original"] | None = None


class Part(msgspec.Struct):
    """A content part, with the fields that are validated."""

    type: PartKind
    text: str | None = None
    refusal: str | None = None
    image_url: Raw | UnsetType = UNSET
