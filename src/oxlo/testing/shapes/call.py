"""Parameters of a request to the double, and its token count."""

from typing import Any

import msgspec

from oxlo.testing.script import Script

Json = dict[str, Any]


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A request for a completion."""

    id: str
    created: int
    model: str
    chat: bool
    n: int
    #: From `stream_options`.
    include_usage: bool
    continuous_usage: bool

    @property
    def kind(self) -> str:
        """The `object` of a response that is not streamed."""
        return "chat.completion" if self.chat else "text_completion"


def finish(script: Script) -> str:
    """The finish reason of a script."""
    return "tool_calls" if script.tool_calls and script.finish == "stop" else script.finish


def count_tokens(text: str) -> int:
    """Tokens as the double counts them: one per word."""
    return len(text.split())
