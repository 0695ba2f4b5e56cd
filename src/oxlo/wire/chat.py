"""POST /v1/chat/completions: the request, field for field, and what makes it valid."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from oxlo.catalogue import Model
from oxlo.errors import UnsupportedAbility
from oxlo.wire.decode import Decoder, invalid, required, too_deep, unsupported
from oxlo.wire.lazy import Lazy
from oxlo.wire.messages import Message, Summary, first_bytes, summarise
from oxlo.wire.ranges import check_ranges
from oxlo.wire.sampling import Sampling, check_bias, check_stop, check_stream
from oxlo.wire.tools import NO_OFFER, Offer, read_tools

Raw = msgspec.Raw
MAX_METADATA = 16

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

    @property
    def opening(self) -> bytes:
        """How the prompt begins: calls that share it are best served where it is cached."""
        said = (bytes(m.content) for m in self.messages if isinstance(m.content, Raw))
        return first_bytes(said)

    @property
    def has_tools(self) -> bool:
        """Whether tools were offered."""
        return bool(self.offer.functions)


class _Strict(ChatRequest, forbid_unknown_fields=True):
    """The same, refusing fields that it does not know."""


_SOUND = "no model here answers in sound."
_OLD_SPELLING = "it is OpenAI's old spelling; send 'tools' and 'tool_choice' instead."
#: Fields that OpenAI has and we do not: to ignore them would change what the answer means.
_REFUSED = {
    "functions": _OLD_SPELLING,
    "function_call": _OLD_SPELLING,
    "audio": _SOUND,
    "web_search_options": "no model here searches the web.",
}
_decoder: Decoder[ChatRequest] = Decoder(_Strict, ChatRequest, _REFUSED)


def decode(body: bytes) -> tuple[ChatRequest, tuple[str, ...]]:
    """A valid request, whatever the model, and the names of unknown fields. Raises BadRequest."""
    request, unknown = _decoder.decode(body)
    try:
        _ = request.summary  # read once, here: what it raises is a 400
        if request.tools is not UNSET or request.tool_choice is not UNSET:
            _ = request.offer
    except RecursionError:
        raise too_deep() from None
    check_stream(request.stream, request.stream_options)
    if request.stop is not None:
        check_stop(request.stop)
    if request.top_logprobs is not None and request.logprobs is not True:
        raise invalid("top_logprobs", "allowed only with 'logprobs': true.")
    if request.logit_bias is not None:
        check_bias(request.logit_bias)
    if request.response_format is not None:
        _check_format(request.response_format)
    if request.metadata is not None and len(request.metadata) > MAX_METADATA:
        raise invalid("metadata", f"at most {MAX_METADATA} texts, got {len(request.metadata)}.")
    if request.modalities is not None and "audio" in request.modalities:
        raise unsupported("modalities", _SOUND)
    return request, unknown


def _check_format(form: ResponseFormat) -> None:
    if form.type != "json_schema":
        return
    if form.json_schema is None:
        raise required("response_format.json_schema")
    schema = form.json_schema.schema
    if isinstance(schema, UnsetType) or not bytes(schema).startswith(b"{"):
        raise invalid("response_format.json_schema.schema", "expected a JSON schema, an object.")


def validate(request: ChatRequest, model: Model) -> None:
    """Check a request against its model. Raises BadRequest or UnsupportedAbility."""
    check_ranges(request, model)
    if request.summary.kinds:
        _check_sight(request.summary.kinds, model)
    abilities = model.abilities
    if request.tools is not UNSET and request.has_tools and "tools" not in abilities:
        raise _unable(model, "call tools", "tools", "tools")
    if request.logprobs and "logprobs" not in abilities:
        raise _unable(model, "tell log probabilities", "logprobs", "logprobs")
    if request.reasoning_effort not in (None, "none") and "reasoning" not in abilities:
        raise _unable(model, "reason", "reasoning_effort", "reasoning")
    form = request.response_format
    if form is not None and form.type != "text" and "json" not in abilities:
        raise _unable(model, "keep to a response format", "response_format", "json")


def _check_sight(kinds: frozenset[str], model: Model) -> None:
    if "image_url" in kinds and "vision" not in model.abilities:
        raise _unable(model, "see images", "messages", "vision")
    if "input_audio" in kinds:
        raise _unable(model, "hear audio", "messages", "audio")
    if "file" in kinds:
        raise _unable(model, "read files", "messages", "files")


def _unable(model: Model, what: str, param: str, ability: str) -> UnsupportedAbility:
    return UnsupportedAbility(f"{model.id} cannot {what}.", param=param, ability=ability)
