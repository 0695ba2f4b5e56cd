"""Dialects: translating between OpenAI's API and an engine's own, field for field.

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
    """Token counts of one request, for its receipt."""

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
    """What the platform decided about a request, whatever the client asked for."""

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
        #: Limit on output tokens: the client's value, clamped to the plan and the model. None: as
        #: many as fit the engine's context (chat only).
        self.max_tokens = max_tokens
        #: Plan priority, 0 (best effort) to 3 (dedicated).
        self.priority = priority
        #: Unix seconds, for `created` if the engine does not send it.
        self.now = now
        #: The plan's limits, for engines that measure the input themselves; None: no limit.
        self.max_input_tokens = max_input_tokens
        self.max_audio_seconds = max_audio_seconds
        #: The request's media files, in the order of the request.
        self.files = files
        #: The engine's build as known to its fleet; "": the engine reports it.
        self.build = build
        #: Requested samplers that this kind of engine lacks; a response header names them.
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


#: Header lines of responses.
JSON: Final = b"content-type: application/json\r\n"
SSE: Final = b"content-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n"


class Answer:
    """A whole response, ready for the client."""

    __slots__ = ("body", "finish", "head", "usage")

    def __init__(self, body: bytes, usage: Usage, finish: str, head: bytes = JSON) -> None:
        self.body = body
        self.usage = usage
        self.finish = finish
        #: Header lines (content type).
        self.head = head


class Translator:
    """Translates an engine's event stream to OpenAI's, incrementally.

    `feed` takes the bytes of one read (which may end inside an event) and returns complete events
    for the client, possibly none. It never returns `ending`: the gateway sends that after the
    receipt is written. Bytes that need no change are passed through.
    """

    __slots__ = ("done", "ending", "error", "finish", "head", "pieces", "started", "usage")

    def __init__(self) -> None:
        #: Header lines (content type).
        self.head = SSE
        #: The terminator that the client gets last, if its protocol has one.
        self.ending = b"data: [DONE]\n\n"
        #: An event with content (text, tool call, finish reason) was seen: no retry from here on.
        self.started = False
        #: The stream ended completely.
        self.done = False
        #: An error that the engine reported inside the stream; nothing is sent after it.
        self.error: ApiError | None = None
        self.finish = ""
        #: Token counts reported so far.
        self.usage = Usage()
        #: Events with text, reasoning or tool calls: about a token each, if none are counted.
        self.pieces = 0

    def feed(self, data: bytes) -> bytes:
        """Translate one read."""
        raise NotImplementedError

    def ended(self) -> bool:
        """The connection closed. Returns whether the stream is complete (`done`).

        In protocols with a terminator, a connection that closes without it is not an end.
        """
        return self.done

    def close(self) -> bytes:
        """Events held back until the end: the usage chunk, if requested."""
        return b""


class Dialect(Protocol):
    """The API of one kind of engine."""

    name: str
    #: Whether the engine rejects prompt + output over its context instead of stopping there.
    strict_context: bool
    #: Whether the engine measures its input and enforces the limits sent along.
    measures: bool
    #: Whether the fleet detects stalls by progress: then the engine may be silent for long.
    watched: bool
    #: Whether token ids are OpenAI's, as its clients send them instead of text.
    reads_openai_tokens: bool

    def chat(self, request: ChatRequest, decided: Decided) -> EngineCall:
        """Build the engine's request from an allow-list. Raises ApiError (bad tools, ...)."""
        ...

    def chat_reply(self, body: bytes, request: ChatRequest, decided: Decided) -> Answer:
        """Translate a whole chat response. Raises EngineFailed if it is malformed."""
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
        """The request that counts input tokens exactly, and its decoder; None if not supported."""
        ...

    def error(self, status: int, body: bytes) -> ApiError:
        """Translate an engine's error; a 4xx that the client caused stays a 4xx."""
        ...
