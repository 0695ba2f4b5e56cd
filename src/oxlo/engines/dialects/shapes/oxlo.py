"""Error responses of our own engines."""

from typing import Any

import msgspec


class Refused(msgspec.Struct):
    """An error in OpenAI's shape, with additional fields."""

    error: dict[str, Any]
