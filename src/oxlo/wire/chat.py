"""POST /v1/chat/completions: what makes a request valid."""

from msgspec import UNSET, UnsetType

from oxlo.catalogue import Model
from oxlo.errors import UnsupportedAbility
from oxlo.wire.decode import Decoder, invalid, required, too_deep, unsupported
from oxlo.wire.ranges import check_ranges
from oxlo.wire.sampling import check_bias, check_stop, check_stream
from oxlo.wire.shapes.chat import ChatRequest, ResponseFormat, StrictChatRequest

MAX_METADATA = 16

_SOUND = "no model here answers in sound."
_OLD_SPELLING = "it is OpenAI's old spelling; send 'tools' and 'tool_choice' instead."
#: Fields that OpenAI has and we do not: to ignore them would change what the answer means.
_REFUSED = {
    "functions": _OLD_SPELLING,
    "function_call": _OLD_SPELLING,
    "audio": _SOUND,
    "web_search_options": "no model here searches the web.",
}
_decoder: Decoder[ChatRequest] = Decoder(StrictChatRequest, ChatRequest, _REFUSED)


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
