"""How an engine speaks, and how its words become OpenAI's, field for field.

A dialect is pure: bytes in, bytes out. The gateway does the I/O.
"""

from collections.abc import Callable
from typing import Protocol

import msgspec

from oxlo.catalogue import Model
from oxlo.engines.parts import Parts
from oxlo.errors import ApiError
from oxlo.wire.chat import ChatRequest
from oxlo.wire.completions import CompletionRequest


class Usage(msgspec.Struct):
    """Tokens of one call, for its receipt."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0


class Decided(msgspec.Struct, frozen=True):
    """What the platform decided about a call, whatever the caller wrote."""

    model: Model
    #: The model's name at the engine.
    engine_model: str
    #: Output tokens allowed: the caller's wish, clamped to the plan and the model. None: as many
    #: as the engine's context has room for (chats only).
    max_tokens: int | None
    #: Plan priority, 0 (best effort) to 3 (dedicated).
    priority: int
    #: Unix seconds, for `created` where the engine gives none.
    now: int
    #: What the plan allows at most, for engines that measure it themselves; None: no limit.
    max_input_tokens: int | None = None
    max_audio_seconds: int | None = None


class EngineCall(msgspec.Struct, frozen=True):
    """One request to an engine."""

    path: str
    body: bytes | Parts
    content_type: str = "application/json"


#: Header lines of replies.
JSON = b"content-type: application/json\r\n"
SSE = b"content-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n"


class Answer(msgspec.Struct, frozen=True):
    """A whole reply, ready for the client."""

    body: bytes
    usage: Usage
    finish: str
    #: Header lines: its type.
    head: bytes = JSON


class Translator(Protocol):
    """Turns an engine's event stream into OpenAI's, read by read.

    `feed` takes the bytes of one read (events may be cut anywhere) and returns complete events for
    the client, possibly none. It never returns `ending`: the gateway sends that itself, after the
    receipt is written. Bytes that need no change are returned as they came.
    """

    #: Header lines of the reply: its type.
    head: bytes
    #: What the client is sent last: `data: [DONE]`, where that is the custom.
    ending: bytes

    #: An event with content (text, a tool call, a finish reason) was seen: retries end here.
    started: bool
    #: `[DONE]` was seen.
    done: bool
    #: The engine reported an error inside the stream; nothing after it is to be sent.
    error: ApiError | None
    finish: str

    @property
    def usage(self) -> Usage:
        """Tokens, as far as they have been told."""
        ...

    def feed(self, data: bytes) -> bytes:
        """Translate one read."""
        ...

    def ended(self) -> bool:
        """The engine's reply is over; whether the stream is whole, so that it is `done`."""
        ...

    def close(self) -> bytes:
        """Events held back, now that `[DONE]` was seen (the usage chunk, when it was asked for)."""
        ...


class Dialect(Protocol):
    """One way of speaking."""

    name: str
    #: Whether the engine refuses prompt + output over its context, instead of stopping there.
    strict_context: bool
    #: Whether the engine measures what it is sent, and keeps to the caps that travel along.
    measures: bool

    def chat(self, request: ChatRequest, decided: Decided) -> EngineCall:
        """The engine's request, rebuilt from an allow-list. Raises ApiError (bad tools, ...)."""
        ...

    def chat_reply(self, body: bytes, request: ChatRequest, decided: Decided) -> Answer:
        """A whole chat reply in OpenAI's shape. Raises EngineFailed when it makes no sense."""
        ...

    def chat_stream(self, request: ChatRequest, decided: Decided) -> Translator:
        """A translator for one chat stream."""
        ...

    def completion(self, request: CompletionRequest, decided: Decided) -> EngineCall:
        """As `chat`, for the legacy endpoint."""
        ...

    def completion_reply(self, body: bytes, request: CompletionRequest, decided: Decided) -> Answer:
        """As `chat_reply`, for the legacy endpoint."""
        ...

    def completion_stream(self, request: CompletionRequest, decided: Decided) -> Translator:
        """As `chat_stream`, for the legacy endpoint."""
        ...

    def count(
        self, request: ChatRequest | CompletionRequest, decided: Decided
    ) -> tuple[EngineCall, Callable[[bytes], int]] | None:
        """How to ask the engine for the exact number of input tokens; None: it cannot say."""
        ...

    def error(self, status: int, body: bytes) -> ApiError:
        """An engine's error reply as ours; a 4xx of the caller's making stays a 4xx."""
        ...
