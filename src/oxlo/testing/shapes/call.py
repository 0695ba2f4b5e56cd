"""What the double needs to know of one request, and how it counts."""

from typing import Any

import msgspec

from oxlo.testing.script import Script

Json = dict[str, Any]


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One request for words."""

    id: str
    created: int
    model: str
    chat: bool
    n: int
    #: Of `stream_options`.
    include_usage: bool
    continuous_usage: bool

    @property
    def kind(self) -> str:
        """The `object` of a whole reply."""
        return "chat.completion" if self.chat else "text_completion"


def finish(script: Script) -> str:
    """The finish reason that the script ends with."""
    return "tool_calls" if script.tool_calls and script.finish == "stop" else script.finish


def words(text: str) -> int:
    """Tokens, the way the double counts them: one a word."""
    return len(text.split())
