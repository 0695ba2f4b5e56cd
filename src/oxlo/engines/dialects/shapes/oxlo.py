"""What engines of ours say when they refuse."""

from typing import Any

import msgspec


class Refused(msgspec.Struct):
    """An error as OpenAI writes it, with whatever it tells beside."""

    error: dict[str, Any]
