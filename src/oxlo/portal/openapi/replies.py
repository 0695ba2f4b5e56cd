"""Types of responses, for the OpenAPI document only: the gateway passes on the engines' bytes."""

from typing import Any, Literal

import msgspec


class TokenUsage(msgspec.Struct, kw_only=True):
    """Token counts, for information: plans count requests."""

    prompt_tokens: int
    total_tokens: int
    completion_tokens: int | None = None
    prompt_tokens_details: dict[str, int] | None = None
    completion_tokens_details: dict[str, int] | None = None


class CalledFunction(msgspec.Struct, kw_only=True):
    """A function call by the model; `arguments` is JSON in a string."""

    name: str
    arguments: str


class CalledTool(msgspec.Struct, kw_only=True):
    """A tool call by the model."""

    id: str
    type: Literal["function"]
    function: CalledFunction


class ReplyMessage(msgspec.Struct, kw_only=True):
    """The assistant's message."""

    role: Literal["assistant"]
    content: str | None
    refusal: str | None = None
    annotations: list[Any] = []
    tool_calls: list[CalledTool] | None = None
    function_call: CalledFunction | None = None
    reasoning_content: str | None = None


class Choice(msgspec.Struct, kw_only=True):
    """One completion."""

    index: int
    message: ReplyMessage
    finish_reason: Literal["stop", "length", "tool_calls", "content_filter", "function_call"] | None
    logprobs: Any = None


class ChatReply(msgspec.Struct, kw_only=True):
    """A complete response. Streams send `chat.completion.chunk` events with `delta` instead."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[Choice]
    usage: TokenUsage
    service_tier: str | None = None
    system_fingerprint: str | None = None


class StoredChats(msgspec.Struct, kw_only=True):
    """OpenAI's list of stored chat completions, which is always empty here."""

    object: Literal["list"]
    data: list[Any]
    first_id: None
    last_id: None
    has_more: bool


class TextChoice(msgspec.Struct, kw_only=True):
    """One completion."""

    index: int
    text: str
    finish_reason: Literal["stop", "length"] | None
    logprobs: Any = None


class CompletionReply(msgspec.Struct, kw_only=True):
    """Text completions."""

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    choices: list[TextChoice]
    usage: TokenUsage
    system_fingerprint: str | None = None


class Vector(msgspec.Struct, kw_only=True):
    """The embedding of one input: floats, or base64 of little-endian float32."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class EmbeddingReply(msgspec.Struct, kw_only=True):
    """One embedding per input."""

    object: Literal["list"]
    data: list[Vector]
    model: str
    usage: TokenUsage


class MadeImage(msgspec.Struct, kw_only=True):
    """One image: as base64, as a link that expires, or both."""

    b64_json: str | None = None
    url: str | None = None
    seed: int | None = None
    revised_prompt: str | None = None


class ImageReply(msgspec.Struct, kw_only=True):
    """The generated images."""

    created: int
    data: list[MadeImage]
    size: str | None = None
    quality: str | None = None
    background: str | None = None
    output_format: str | None = None
    usage: dict[str, Any] | None = None


class Transcript(msgspec.Struct, kw_only=True):
    """The transcription; `verbose_json` has all fields, `json` only the text."""

    text: str
    task: str | None = None
    language: str | None = None
    duration: float | None = None
    segments: list[dict[str, Any]] | None = None
    words: list[dict[str, Any]] | None = None
    usage: dict[str, Any] | None = None


class FoundThing(msgspec.Struct, kw_only=True):
    """A detected object; coordinates in pixels of the original image."""

    class_id: int
    class_name: str
    label: str
    confidence: float
    bbox: dict[str, float]
    bbox_xyxy: list[float]


class DetectReply(msgspec.Struct, kw_only=True):
    """The detected objects."""

    model: str
    image: dict[str, int]
    count: int
    detections: list[FoundThing]
    annotated: str | None = None


class WarmUp(msgspec.Struct, kw_only=True):
    """Durations of the fleet's own warm-up requests after the engine's start, in milliseconds."""

    first_ms: float
    #: Median of the requests after the first.
    later_ms: float


class ModelEntry(msgspec.Struct, kw_only=True):
    """A model: OpenAI's fields, then ours."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    name: str
    display_name: str
    category: str
    tier: str
    status: Literal["ready", "starting", "unavailable"]
    warm: bool
    #: Null if the engine is external; absent if no replica serves the model.
    warm_up: WarmUp | None = None
    coming_soon: bool
    context_length: int | None
    capabilities: list[str]
    aliases: list[str]
    built_on: list[str]
    licence: str


class ModelList(msgspec.Struct, kw_only=True):
    """The models."""

    object: Literal["list"]
    data: list[ModelEntry]


class ModelParameters(msgspec.Struct, kw_only=True):
    """The parameters of requests to a model."""

    model_id: str
    model_name: str
    category: str
    context_length: int | None
    parameters: dict[str, dict[str, Any]]


class VoiceList(msgspec.Struct, kw_only=True):
    """The voices, and their ids alone."""

    object: Literal["list"]
    data: list[dict[str, Any]]
    voices: list[str]


class LimitWindow(msgspec.Struct, kw_only=True):
    """The limit of a UTC day or minute; null means unlimited."""

    limit: int | None
    used: int
    remaining: int | None
    resets_at: str
    resets_in: int
    granted: int | None = None


class LimitsReply(msgspec.Struct, kw_only=True):
    """The account's limits, and what is left of them."""

    object: Literal["limits"]
    account: str
    plan: str
    plan_name: str
    trial_until: str | None
    day: LimitWindow
    minute: LimitWindow
    concurrency: dict[str, int | None]
    max_input_tokens: int | None
    max_output_tokens: int | None
    max_body_mb: int
    tiers: list[str]
    queue: str


class UsageReply(msgspec.Struct, kw_only=True, rename={"from_": "from"}):
    """Usage, aggregated."""

    object: Literal["usage"]
    from_: str
    to: str
    by: list[str]
    data: list[dict[str, Any]]
    total: dict[str, Any]
    grants: Any = None


class ErrorBody(msgspec.Struct, kw_only=True):
    """What is wrong, and what to do."""

    message: str
    type: str
    param: str | None
    code: str


class ErrorReply(msgspec.Struct, kw_only=True):
    """An error; its fields are repeated at the top level for clients that read them there."""

    error: ErrorBody
    message: str
    detail: str


class DryRunReply(msgspec.Struct, kw_only=True):
    """The response to a dry run: the request would be accepted."""

    object: Literal["dry_run"]
    accepted: bool
    model: str
    endpoint: str
    #: Null if the endpoint does not count tokens.
    input_tokens: int | None
    max_tokens: int | None
    max_tokens_clamped: bool
    limits: dict[str, Any]
    queue: dict[str, float]
