"""What an engine double is told to do with a call."""

import msgspec


class Script(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One call's fate. The default answers at once, in three pieces.

    `after` counts content pieces of a stream; where it does not stream, only 0 makes sense.
    """

    text: str = "Hello there, friend."
    #: Say the last message's text instead of `text`.
    echo: bool = False
    #: Content pieces of a stream, and seconds before each.
    chunks: int = 3
    delay: float = 0.0
    finish: str = "stop"
    #: Tool calls to answer with, as (name, JSON arguments).
    tool_calls: tuple[tuple[str, str], ...] = ()
    #: Thoughts told before the text.
    reasoning: str = ""
    prompt_tokens: int = 9
    cached_tokens: int = 0

    #: Speeds of a slot, in words a second, of reading prompts and of answering; 0: at once. With
    #: them, usage tells the prompt's words, and an answer has as many as `max_tokens` says.
    reads: float = 0.0
    writes: float = 0.0

    #: Name of a gate (`EngineDouble.gates`) to wait for before the first byte of the reply.
    gate: str = ""
    #: Name of a gate to wait for after `after` content pieces.
    middle_gate: str = ""
    #: Another status than 200, with `body`; without one, the dialect's own error.
    status: int = 200
    body: str = ""
    #: The Retry-After header of such a reply.
    retry_after: str = ""

    #: Error event inside a 200 stream, after `after` content pieces: its message.
    error: str = ""
    #: Cut the connection after `after` pieces (0: straight after the head).
    cut: bool = False
    #: Say nothing more after `after` pieces (0: after the head), keeping the connection.
    stall: bool = False
    after: int = 1
    #: Never send a byte.
    silent: bool = False
    #: Write this instead of an HTTP reply, and close.
    garbage: str = ""
    #: Cut what is written into pieces of this many bytes, wherever events end.
    split: int = 0


def pieces(text: str, count: int) -> list[str]:
    """The text in at most `count` parts of about equal length."""
    size = max(1, -(-len(text) // max(1, count)))
    return [text[i : i + size] for i in range(0, len(text), size)]
