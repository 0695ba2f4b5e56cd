"""Scripts for the engine double."""

import msgspec


class Script(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The response to one request. By default it is immediate, in three pieces.

    `after` counts content pieces of a stream; use 0 for responses that are not streamed.
    """

    text: str = "Hello there, friend."
    #: Answer with the last message's text instead of `text`.
    echo: bool = False
    #: The number of content pieces of a stream, and the seconds before each.
    chunks: int = 3
    delay: float = 0.0
    finish: str = "stop"
    #: Tool calls to answer with, as (name, JSON arguments).
    tool_calls: tuple[tuple[str, str], ...] = ()
    #: Reasoning before the text.
    reasoning: str = ""
    prompt_tokens: int = 9
    cached_tokens: int = 0

    #: Speed of a slot for prompts and for output, in words per second; 0: immediate. If set, usage
    #: counts the prompt's words, and the output has `max_tokens` words.
    reads: float = 0.0
    writes: float = 0.0

    #: Name of a gate (`EngineDouble.gates`) to wait for before the first byte of the response.
    gate: str = ""
    #: Name of a gate to wait for after `after` content pieces.
    middle_gate: str = ""
    #: A status other than 200; the response is `body`, by default the dialect's error.
    status: int = 200
    body: str = ""
    #: The Retry-After header of an error.
    retry_after: str = ""

    #: Message of an error event inside a 200 stream, after `after` content pieces.
    error: str = ""
    #: Close the connection after `after` pieces (0: after the head).
    cut: bool = False
    #: Send nothing after `after` pieces (0: after the head), but keep the connection open.
    stall: bool = False
    after: int = 1
    #: Never send anything.
    silent: bool = False
    #: Write this instead of an HTTP response, and close.
    garbage: str = ""
    #: Write in pieces of this many bytes, regardless of events.
    split: int = 0


def pieces(text: str, count: int) -> list[str]:
    """Split the text into at most `count` parts of about equal length."""
    size = max(1, -(-len(text) // max(1, count)))
    return [text[i : i + size] for i in range(0, len(text), size)]
