"""How an engine speaks, and how its words become OpenAI's, field for field.

A dialect is pure: bytes in, bytes out. The gateway does the I/O.
"""

from collections.abc import Callable
from typing import Final, Protocol

from oxlo.catalogue import Model
from oxlo.engines.parts import Parts
from oxlo.errors import ApiError
from oxlo.wire.chat import ChatRequest
from oxlo.wire.completions import CompletionRequest
from oxlo.wire.embeddings import EmbeddingRequest
from oxlo.wire.media import File

#: Requests whose input is counted in tokens.
Prompted = ChatRequest | CompletionRequest | EmbeddingRequest


class Usage:
    """Tokens of one call, for its receipt."""

    __slots__ = ("cached_tokens", "completion_tokens", "prompt_tokens", "reasoning_tokens")

    def __init__(
        self,
        prompt_tokens: int = 0,
        completion_tokens: int = 0,
        cached_tokens: int = 0,
        reasoning_tokens: int = 0,
    ) -> None:
        self.prompt_tokens = prompt_tokens
        self.completion_tokens = completion_tokens
        self.cached_tokens = cached_tokens
        self.reasoning_tokens = reasoning_tokens


class Decided:
    """What the platform decided about a call, whatever the caller wrote."""

    __slots__ = (
        "build",
        "engine_model",
        "files",
        "max_audio_seconds",
        "max_input_tokens",
        "max_tokens",
        "model",
        "now",
        "priority",
        "unheeded",
    )

    def __init__(
        self,
        model: Model,
        engine_model: str,
        max_tokens: int | None,
        priority: int,
        now: int,
        max_input_tokens: int | None = None,
        max_audio_seconds: int | None = None,
        files: tuple[File, ...] = (),
        build: str = "",
    ) -> None:
        self.model = model
        #: The model's name at the engine.
        self.engine_model = engine_model
        #: Output tokens allowed: the caller's wish, clamped to the plan and the model. None: as
        #: many as the engine's context has room for (chats only).
        self.max_tokens = max_tokens
        #: Plan priority, 0 (best effort) to 3 (dedicated).
        self.priority = priority
        #: Unix seconds, for `created` where the engine gives none.
        self.now = now
        #: What the plan allows at most, for engines that measure it themselves; None: no limit.
        self.max_input_tokens = max_input_tokens
        self.max_audio_seconds = max_audio_seconds
        #: The files of the request's media, in the order in which it names them.
        self.files = files
        #: The engine's build, as its fleet knows it; "": it says so itself.
        self.build = build
        #: Samplers that were asked for and that this kind of engine has not: the reply names them.
        self.unheeded: tuple[str, ...] = ()


class EngineCall:
    """One request to an engine."""

    __slots__ = ("body", "content_type", "path")

    def __init__(
        self, path: str, body: bytes | Parts, content_type: str = "application/json"
    ) -> None:
        self.path = path
        self.body = body
        self.content_type = content_type


#: Header lines of replies.
JSON: Final = b"content-type: application/json\r\n"
SSE: Final = b"content-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n"


class Answer:
    """A whole reply, ready for the client."""

    __slots__ = ("body", "finish", "head", "usage")

    def __init__(self, body: bytes, usage: Usage, finish: str, head: bytes = JSON) -> None:
        self.body = body
        self.usage = usage
        self.finish = finish
        #: Header lines: its type.
        self.head = head


class Translator:
    """Turns an engine's event stream into OpenAI's, read by read.

    `feed` takes the bytes of one read (events may be cut anywhere) and returns complete events for
    the client, possibly none. It never returns `ending`: the gateway sends that itself, after the
    receipt is written. Bytes that need no change are returned as they came.
    """

    __slots__ = ("done", "ending", "error", "finish", "head", "pieces", "started", "usage")

    def __init__(self) -> None:
        #: Header lines of the reply: its type.
        self.head = SSE
        #: What the client is sent last, where that is the custom.
        self.ending = b"data: [DONE]\n\n"
        #: An event with content (text, a tool call, a finish reason) was seen: retries end here.
        self.started = False
        #: The end was seen.
        self.done = False
        #: The engine reported an error inside the stream; nothing after it is to be sent.
        self.error: ApiError | None = None
        self.finish = ""
        #: Tokens, as far as they have been told.
        self.usage = Usage()
        #: Events with words, thoughts or calls: about a token each, where none are told.
        self.pieces = 0

    def feed(self, data: bytes) -> bytes:
        """Translate one read."""
        raise NotImplementedError

    def ended(self) -> bool:
        """The engine's reply is over; whether the stream is whole, so that it is `done`.

        Where the end is told, a connection that just closes is none.
        """
        return self.done

    def close(self) -> bytes:
        """Events held back, now that the end was seen (the usage chunk, when it was asked for)."""
        return b""


class Dialect(Protocol):
    """One way of speaking."""

    name: str
    #: Whether the engine refuses prompt + output over its context, instead of stopping there.
    strict_context: bool
    #: Whether the engine measures what it is sent, and keeps to the caps that travel along.
    measures: bool
    #: Whether a fleet sees the engine move, and ends it where it does not: it may be silent long.
    watched: bool
    #: Whether token ids are read as OpenAI's: what its clients send instead of texts.
    reads_openai_tokens: bool

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
        self, request: Prompted, decided: Decided
    ) -> tuple[EngineCall, Callable[[bytes], int]] | None:
        """How to ask the engine for the exact number of input tokens; None: it cannot say."""
        ...

    def error(self, status: int, body: bytes) -> ApiError:
        """An engine's error reply as ours; a 4xx of the caller's making stays a 4xx."""
        ...
