"""The messages of a chat, and their parts."""

from typing import Literal

import msgspec
from msgspec import UNSET, Raw, UnsetType

Role = Literal["system", "developer", "user", "assistant", "tool", "function"]
PartKind = Literal["text", "image_url", "input_audio", "file", "refusal"]


class Called(msgspec.Struct):
    """A function's name and the JSON of its arguments, as a model wrote it."""

    name: str
    arguments: str


class ToolCall(msgspec.Struct):
    """A call that an assistant made in an earlier turn."""

    id: str
    function: Called
    type: Literal["function"] = "function"


class Message(msgspec.Struct, omit_defaults=True):
    """One turn: the fields that engines are sent. What it says stays the bytes that it came as."""

    role: Role
    content: Raw | UnsetType = UNSET
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    name: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    function_call: Called | None = None


class Url(msgspec.Struct):
    """Where a picture is, and how closely a model is to look at it."""

    url: str
    detail: Literal["auto", "low", "high"] | None = None


class Part(msgspec.Struct):
    """One part of what a message says: what is checked of it."""

    type: PartKind
    text: str | None = None
    refusal: str | None = None
    image_url: Raw | UnsetType = UNSET
