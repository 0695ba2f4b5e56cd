"""The request of POST /v1/chat/completions, field for field."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from oxlo.wire.lazy import Lazy
from oxlo.wire.media import Medium
from oxlo.wire.messages import Summary, first_bytes, summarise
from oxlo.wire.shapes.messages import Message
from oxlo.wire.shapes.sampling import Sampling
from oxlo.wire.tools import NO_OFFER, Offer, read_tools

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh"]


class JsonSchema(msgspec.Struct, omit_defaults=True):
    """The schema that an answer has to follow; the schema itself stays bytes."""

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    schema: Raw | UnsetType = UNSET
    description: str | None = None
    strict: bool | None = None


class ResponseFormat(msgspec.Struct, omit_defaults=True):
    """What the answer has to look like."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class ChatRequest(Sampling, kw_only=True):
    """One chat request: every field that OpenAI's chat has today, and the samplers of our docs.

    `None` is absent. What messages say, `tools` and `tool_choice` stay the bytes that they came as.
    """

    messages: list[Message]
    logprobs: bool | None = None
    top_logprobs: int | None = None
    max_completion_tokens: int | None = None
    response_format: ResponseFormat | None = None
    tools: Raw | UnsetType = UNSET
    tool_choice: Raw | UnsetType = UNSET
    parallel_tool_calls: bool | None = None
    reasoning_effort: Effort | None = None

    # Taken and without effect here: they steer OpenAI's own service, or label the call.
    metadata: dict[str, str] | None = None
    store: bool | None = None
    service_tier: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    prediction: Raw | UnsetType = UNSET
    verbosity: Literal["low", "medium", "high"] | None = None

    #: What the answer is made of: text, here.
    modalities: list[Literal["text", "audio"]] | None = None

    @Lazy
    def summary(self) -> Summary:
        """What the messages hold. Raises BadRequest where they are not messages."""
        return summarise(self.messages)

    @Lazy
    def offer(self) -> Offer:
        """What is said of tools. Raises BadRequest where it makes no sense."""
        if self.tools is UNSET and self.tool_choice is UNSET:
            return NO_OFFER
        return read_tools(self.tools, self.tool_choice)

    @property
    def output_limit(self) -> int | None:
        """The caller's wish for the answer's length; the two names are one field (D4)."""
        wish, other = self.max_tokens, self.max_completion_tokens
        if wish is None or other is None:
            return other if wish is None else wish
        return min(wish, other)

    @property
    def message_count(self) -> int:
        """How many messages there are."""
        return self.summary.count

    @property
    def text_bytes(self) -> int:
        """Upper bound of the prompt's bytes, tools included."""
        told = memoryview(self.tools).nbytes if isinstance(self.tools, Raw) else 0
        return self.summary.text_bytes + told

    def media(self) -> tuple[Medium, ...]:
        """The pictures that it shows."""
        return self.summary.pictures

    @property
    def opening(self) -> bytes:
        """How the prompt begins: calls that share it are best served where it is cached."""
        said = (bytes(m.content) for m in self.messages if isinstance(m.content, Raw))
        return first_bytes(said)

    @property
    def has_tools(self) -> bool:
        """Whether tools were offered."""
        return bool(self.offer.functions)


class StrictChatRequest(ChatRequest, forbid_unknown_fields=True):
    """The same, refusing fields that it does not know."""
