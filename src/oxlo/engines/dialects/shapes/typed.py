"""Events with a `type`."""

import msgspec
from msgspec import UNSET, Raw, UnsetType

from oxlo.engines.dialects.shapes.usage import Tokens


class TokenUsage(msgspec.Struct):
    """Token usage of newer endpoints; both are missing if usage is in seconds."""

    input_tokens: Tokens | None = None
    output_tokens: Tokens | None = None


class Typed(msgspec.Struct):
    """The fields that are read."""

    type: str
    usage: TokenUsage | None = None
    error: Raw | UnsetType = UNSET


class ImageEvent(Typed):
    """An image or partial image; its base64 is not decoded here."""

    b64_json: Raw | UnsetType = UNSET
