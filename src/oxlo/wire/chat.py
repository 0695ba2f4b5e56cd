"""POST /v1/chat/completions: the request, field for field, and what makes it valid."""

from functools import cached_property
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from oxlo.catalogue import Model
from oxlo.errors import BadRequest, UnsupportedAbility
from oxlo.wire.decode import Decoder, invalid
from oxlo.wire.messages import Summary, summarise
from oxlo.wire.ranges import check_ranges

Raw = msgspec.Raw
MAX_STOPS = 4


class StreamOptions(msgspec.Struct):
    """Options of a stream."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class ResponseFormat(msgspec.Struct):
    """What the answer has to look like."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: Raw | UnsetType = UNSET


class ChatRequest(msgspec.Struct, kw_only=True, dict=True):
    """One chat request: every field that OpenAI's chat has today, and the samplers of our docs.

    `None` is absent. `messages`, `tools` and `tool_choice` stay the bytes that they came as.
    """

    model: str
    messages: Raw
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: int | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    response_format: ResponseFormat | None = None
    tools: Raw | UnsetType = UNSET
    tool_choice: Raw | UnsetType = UNSET
    parallel_tool_calls: bool | None = None
    reasoning_effort: str | None = None

    top_k: int | None = None
    min_p: float | None = None
    typical_p: float | None = None
    tfs_z: float | None = None
    repeat_penalty: float | None = None
    mirostat_mode: int | None = None
    mirostat_tau: float | None = None
    mirostat_eta: float | None = None

    # Taken and without effect here: they steer OpenAI's own service, or label the call.
    user: str | None = None
    metadata: Raw | UnsetType = UNSET
    store: bool | None = None
    service_tier: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    prediction: Raw | UnsetType = UNSET
    verbosity: str | None = None

    # Known, and refused when they ask for what we have not.
    modalities: list[str] | None = None
    audio: Raw | UnsetType = UNSET
    web_search_options: Raw | UnsetType = UNSET
    functions: Raw | UnsetType = UNSET
    function_call: Raw | UnsetType = UNSET

    @cached_property
    def summary(self) -> Summary:
        """What the messages hold. Raises BadRequest where they are not messages."""
        return summarise(self.messages)

    @property
    def output_limit(self) -> int | None:
        """The caller's wish for the answer's length; the two names are one field (D4)."""
        wishes = [w for w in (self.max_tokens, self.max_completion_tokens) if w is not None]
        return min(wishes) if wishes else None

    @property
    def message_count(self) -> int:
        """How many messages there are."""
        return self.summary.count

    @property
    def text_bytes(self) -> int:
        """Upper bound of the prompt's bytes, tools included."""
        tools = 0 if isinstance(self.tools, UnsetType) else len(bytes(self.tools))
        return self.summary.text_bytes + tools

    @property
    def has_images(self) -> bool:
        """Whether any message holds a picture."""
        return self.summary.has_images

    @property
    def include_usage(self) -> bool:
        """Whether the stream's usage chunk was asked for."""
        return self.stream_options is not None and self.stream_options.include_usage is True

    @property
    def has_tools(self) -> bool:
        """Whether tools were offered."""
        return not isinstance(self.tools, UnsetType) and bytes(self.tools) not in (b"null", b"[]")


class _Strict(ChatRequest, forbid_unknown_fields=True):
    """The same, refusing fields that it does not know."""


_decoder: Decoder[ChatRequest] = Decoder(_Strict, ChatRequest)


def decode(body: bytes) -> tuple[ChatRequest, tuple[str, ...]]:
    """A valid request, whatever the model, and the names of unknown fields. Raises BadRequest."""
    request, unknown = _decoder.decode(body)
    _ = request.summary
    _check_stream(request)
    _check_stop(request)
    _check_logprobs(request)
    _check_tools(request)
    _check_unsupported(request)
    return request, unknown


def _check_stream(request: ChatRequest) -> None:
    if request.stream_options is not None and request.stream is not True:
        raise invalid("stream_options", "allowed only with 'stream': true.")


def _check_stop(request: ChatRequest) -> None:
    if isinstance(request.stop, list) and len(request.stop) > MAX_STOPS:
        raise invalid("stop", f"at most {MAX_STOPS} sequences, got {len(request.stop)}.")


def _check_logprobs(request: ChatRequest) -> None:
    if request.top_logprobs is not None and request.logprobs is not True:
        raise invalid("top_logprobs", "allowed only with 'logprobs': true.")
    for token, bias in (request.logit_bias or {}).items():
        if not token.isdecimal() or not -100 <= bias <= 100:
            raise invalid("logit_bias", "expected token ids with biases from -100 to 100.")


def _check_tools(request: ChatRequest) -> None:
    choice = b"null" if isinstance(request.tool_choice, UnsetType) else bytes(request.tool_choice)
    if choice not in (b"null", b'"none"', b'"auto"') and not request.has_tools:
        raise invalid("tool_choice", "allowed only with 'tools'.")


def _check_unsupported(request: ChatRequest) -> None:
    for name in ("functions", "function_call"):
        if _sent(getattr(request, name)):
            raise BadRequest(
                f"'{name}' is OpenAI's old spelling; send 'tools' and 'tool_choice' instead.",
                param=name,
                code="unsupported_parameter",
            )
    if _sent(request.audio) or "audio" in (request.modalities or ()):
        raise BadRequest("No model here answers in sound.", param="modalities", code=_UNSUPPORTED)
    if _sent(request.web_search_options):
        raise BadRequest(
            "No model here searches the web.", param="web_search_options", code=_UNSUPPORTED
        )


_UNSUPPORTED = "unsupported_parameter"


def _sent(raw: Raw | UnsetType) -> bool:
    return not isinstance(raw, UnsetType) and bytes(raw) != b"null"


def validate(request: ChatRequest, model: Model) -> None:
    """Check a request against its model. Raises BadRequest or UnsupportedAbility."""
    check_ranges(request, model)
    abilities = model.abilities
    if request.has_images and "vision" not in abilities:
        raise _unable(model, "see images", "messages", "vision")
    if request.summary.has_audio:
        raise _unable(model, "hear audio", "messages", "audio")
    if request.has_tools and "tools" not in abilities:
        raise _unable(model, "call tools", "tools", "tools")
    if request.logprobs and "logprobs" not in abilities:
        raise _unable(model, "tell log probabilities", "logprobs", "logprobs")
    form = request.response_format
    if form is not None and form.type != "text" and "json" not in abilities:
        raise _unable(model, "keep to a response format", "response_format", "json")


def _unable(model: Model, what: str, param: str, ability: str) -> UnsupportedAbility:
    return UnsupportedAbility(f"{model.id} cannot {what}.", param=param, ability=ability)
