"""What may be sent to an engine: allow-lists."""

import msgspec
from msgspec import UNSET, Raw, UnsetType

from oxlo.wire.shapes.chat import ResponseFormat
from oxlo.wire.shapes.messages import Message


class Defaults(msgspec.Struct, frozen=True):
    """What a model's `/parameters` publish as applied where a caller says nothing."""

    temperature: float | None = None
    top_p: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    typical_p: float | None = None
    repeat_penalty: float | None = None
    mirostat_mode: int | None = None
    mirostat_tau: float | None = None
    mirostat_eta: float | None = None


class Sampling(msgspec.Struct, kw_only=True, omit_defaults=True):
    """OpenAI's own fields, which every engine takes."""

    model: str
    stream: bool = False
    stream_options: dict[str, bool] | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    n: int | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logit_bias: dict[str, float] | None = None


class ChatBody(Sampling, kw_only=True, omit_defaults=True):
    """A chat as OpenAI defines it."""

    #: As they were read, or as an engine needs them.
    messages: list[Message] | Raw
    logprobs: bool | None = None
    top_logprobs: int | None = None
    response_format: ResponseFormat | None = None
    tools: Raw | UnsetType = UNSET
    tool_choice: Raw | UnsetType = UNSET
    parallel_tool_calls: bool | None = None
    reasoning_effort: str | None = None


class CompletionBody(Sampling, kw_only=True, omit_defaults=True):
    """A completion as OpenAI defined it."""

    prompt: str | list[str] | list[int] | list[list[int]] | list[str | int | list[int]]
    logprobs: int | None = None
    echo: bool | None = None
