"""The request of POST /v1/chat/completions, field for field."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from oxlo.wire.shapes.messages import Message
from oxlo.wire.shapes.sampling import Sampling

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


class JsonSchema(msgspec.Struct, omit_defaults=True):
    """`json_schema` of a response format; the schema itself stays undecoded."""

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    schema: Raw | UnsetType = UNSET
    description: str | None = None
    strict: bool | None = None


class ResponseFormat(msgspec.Struct, omit_defaults=True):
    """`response_format`."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None
    #: Where Together and Fireworks put a bare schema.
    schema: Raw | UnsetType = UNSET


class ChatFields(Sampling, kw_only=True):
    """All fields of OpenAI's chat, and our additional samplers.

    None means absent. Message contents, `tools` and `tool_choice` stay undecoded.
    """

    messages: list[Message]
    logprobs: bool | None = None
    top_logprobs: int | None = None
    max_completion_tokens: int | None = None
    response_format: ResponseFormat | None = None
    tools: Raw | UnsetType = UNSET
    tool_choice: Raw | UnsetType = UNSET
    parallel_tool_calls: bool | None = None
    # OpenAI's legacy names of `tools` and `tool_choice`.
    functions: Raw | UnsetType = UNSET
    function_call: Raw | UnsetType = UNSET
    reasoning_effort: Effort | None = None

    # Accepted without effect: they control OpenAI's own service, or label the request.
    metadata: dict[str, str] | None = None
    store: bool | None = None
    service_tier: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    prompt_cache_options: Raw | UnsetType = UNSET
    prediction: Raw | UnsetType = UNSET
    verbosity: Literal["low", "medium", "high"] | None = None

    #: Output modalities: only text.
    modalities: list[Literal["text", "audio"]] | None = None
