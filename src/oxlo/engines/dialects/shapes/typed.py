"""Events that say by their type what they are."""

import msgspec
from msgspec import UNSET, Raw, UnsetType

from oxlo.engines.dialects.shapes.usage import Tokens


class TokenUsage(msgspec.Struct):
    """Tokens as newer endpoints tell them; usage in seconds has none."""

    input_tokens: Tokens | None = None
    output_tokens: Tokens | None = None


class Typed(msgspec.Struct):
    """All that is looked at."""

    type: str
    usage: TokenUsage | None = None
    error: Raw | UnsetType = UNSET


class Drawn(Typed):
    """The same of an image, or of what there is of it: base64 that nobody reads here."""

    b64_json: Raw | UnsetType = UNSET
