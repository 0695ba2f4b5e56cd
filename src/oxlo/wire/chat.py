"""POST /v1/chat/completions: decoding and validating requests."""

from collections.abc import Iterator
from typing import Any, Final

from msgspec import UNSET, UnsetType

from oxlo.catalogue import Model
from oxlo.errors import UnsupportedAbility
from oxlo.wire import functions
from oxlo.wire.decode import Decoder, invalid, required, sent, too_deep, unsupported
from oxlo.wire.given import given
from oxlo.wire.media import Medium
from oxlo.wire.messages import Summary, summarise, turns
from oxlo.wire.ranges import check_given
from oxlo.wire.sampling import CHECKS, Check, Generation
from oxlo.wire.shapes.chat import ChatFields, JsonSchema, ResponseFormat
from oxlo.wire.shapes.messages import Message
from oxlo.wire.tools import NO_OFFER, Offer, read_tools

MAX_METADATA = 16

_SOUND = "no model here answers in sound."
#: OpenAI's fields that are refused, because ignoring them would change the answer.
_REFUSED = {
    "web_search_options": "no model here searches the web.",
    "moderation": "nothing here moderates prompts or answers.",
}
#: Fields of other endpoints.
_ELSEWHERE = {
    "prompt": "'prompt' is a field of POST /v1/completions.",
    "input": "'input' is a field of OpenAI's Responses API, which is not served here, and of POST "
    "/v1/embeddings.",
    "contents": "'contents' is a field of Google's API.",
}
_decoder: Final[Decoder[ChatFields]] = Decoder(ChatFields, _REFUSED, elsewhere=_ELSEWHERE)


class ChatRequest(Generation):
    """A chat request. Message contents and `tools` stay undecoded bytes."""

    __slots__ = (
        "message_count",
        "messages",
        "offer",
        "old_spelling",
        "output_limit",
        "summary",
        "text_bytes",
    )

    def __init__(self, given: dict[str, Any]) -> None:
        """`given` are the fields by name. Raises BadRequest that names an invalid one."""
        super().__init__(given, _CHECKS)
        self.messages: list[Message] = given["messages"]
        #: Summary of the messages.
        self.summary: Summary = summarise(self.messages)
        if "function" in self.summary.unusual:
            self.messages = given["messages"] = functions.respelled(self.messages)
            self.summary = summarise(self.messages)
        self.message_count = self.summary.count
        #: Upper bound of the prompt's size in bytes, including tools.
        self.text_bytes = self.summary.text_bytes
        #: Whether the request uses OpenAI's legacy `functions`, so that the response must, too.
        self.old_spelling = "functions" in given or "function_call" in given
        if self.old_spelling:
            functions.respell(given)
        #: The tools and `tool_choice`.
        self.offer: Offer = NO_OFFER
        if "tools" in given or "tool_choice" in given:
            self._take_tools(given)
        #: Requested limit on output tokens; both names are the same field (D4).
        self.output_limit = _least(given.get("max_tokens"), given.get("max_completion_tokens"))
        if "top_logprobs" in given and given.get("logprobs") is not True:
            raise invalid("top_logprobs", "allowed only with 'logprobs': true.")

    def _take_tools(self, given: dict[str, Any]) -> None:
        self.offer = read_tools(given)
        if "tools" in given:
            self.text_bytes += memoryview(given["tools"]).nbytes

    def media(self) -> tuple[Medium, ...]:
        """The images in its messages."""
        return self.summary.pictures

    def turns(self) -> Iterator[bytes]:
        """The parts of the prompt, tools first, as in chat templates."""
        tools = self.given.get("tools")
        if tools is not None:
            yield bytes(tools)
        yield from turns(self.messages)

    @property
    def alternatives(self) -> int | None:
        """Number of `top_logprobs`; None if log probabilities are not requested."""
        if self.given.get("logprobs") is not True:
            return None
        wanted: int = self.given.get("top_logprobs", 0)
        return wanted

    @property
    def has_tools(self) -> bool:
        """Whether the request has tools."""
        return bool(self.offer.functions)


def _least(wish: int | None, other: int | None) -> int | None:
    if wish is None or other is None:
        return other if wish is None else wish
    return min(wish, other)


def decode(body: bytes) -> tuple[ChatRequest, tuple[str, ...]]:
    """Decode a request, and name the fields that are ignored: unknown ones, and `store` if true.

    Raises BadRequest.
    """
    fields, ignored = _decoder.decode(body)
    if fields.store:
        ignored = (*ignored, "store")
    try:
        return ChatRequest(given(fields)), ignored
    except RecursionError:
        raise too_deep() from None


def _check_format(form: ResponseFormat) -> None:
    if form.type != "text" and form.json_schema is None and sent(form.schema):
        form.type, form.json_schema = "json_schema", JsonSchema("answer", form.schema)
    form.schema = UNSET
    if form.type != "json_schema":
        return
    if form.json_schema is None:
        raise required("response_format.json_schema")
    schema = form.json_schema.schema
    if isinstance(schema, UnsetType) or not bytes(schema).startswith(b"{"):
        raise invalid("response_format.json_schema.schema", "expected a JSON schema, an object.")


def _check_metadata(metadata: dict[str, str]) -> None:
    if len(metadata) > MAX_METADATA:
        raise invalid("metadata", f"at most {MAX_METADATA} texts, got {len(metadata)}.")


def _check_modalities(modalities: list[str]) -> None:
    if "audio" in modalities:
        raise unsupported("modalities", _SOUND)


_CHECKS: Final[dict[str, Check]] = CHECKS | {
    "response_format": _check_format,
    "metadata": _check_metadata,
    "modalities": _check_modalities,
}


def validate(request: ChatRequest, model: Model) -> None:
    """Check a request against its model. Raises BadRequest or UnsupportedAbility."""
    given = request.given
    check_given(given, model)
    if request.summary.kinds:
        _check_sight(request.summary.kinds, model)
    if "tools" in given and request.has_tools:
        old = request.old_spelling
        _need("tools", "call tools", "functions" if old else "tools", model)
    if given.get("logprobs") is True:
        _need("logprobs", "tell log probabilities", "logprobs", model)
    if given.get("reasoning_effort", "none") != "none":
        _need("reasoning", "reason", "reasoning_effort", model)
    form = given.get("response_format")
    if form is not None and form.type != "text":
        _need("json", "keep to a response format", "response_format", model)


def _check_sight(kinds: frozenset[str], model: Model) -> None:
    if "image_url" in kinds:
        _need("vision", "see images", "messages", model)
    if "input_audio" in kinds:
        raise _unable(model, "hear audio", "messages", "audio")
    if "file" in kinds:
        raise _unable(model, "read files", "messages", "files")


def _need(ability: str, what: str, param: str, model: Model) -> None:
    if ability not in model.abilities:
        raise _unable(model, what, param, ability)


def _unable(model: Model, what: str, param: str, ability: str) -> UnsupportedAbility:
    return UnsupportedAbility(f"{model.id} cannot {what}.", param=param, ability=ability)
