"""Images, the same in all dialects: build the request; the media process reads the response."""

import msgspec

from oxlo.engines.dialect import Decided, Dialect, EngineCall, Translator
from oxlo.engines.dialects.image_events import ImageEvents
from oxlo.engines.parts import form
from oxlo.wire.decode import unsupported
from oxlo.wire.images import EditRequest, ImageRequest, size
from oxlo.wire.sizes import spelt

GENERATIONS = "/v1/images/generations"
EDITS = "/v1/images/edits"


class _Body(msgspec.Struct, omit_defaults=True, kw_only=True):
    model: str
    prompt: str
    n: int | None = None
    size: str | None = None
    seed: int | None = None
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    negative_prompt: str | None = None
    strength: float | None = None
    output_format: str | None = None
    output_compression: int | None = None
    quality: str | None = None
    stream: bool | None = None
    partial_images: int | None = None
    max_input_tokens: int | None = None
    #: Only for engines that are not our own.
    response_format: str | None = None
    style: str | None = None
    background: str | None = None
    moderation: str | None = None


_encode = msgspec.json.Encoder().encode


def generation(dialect: Dialect, request: ImageRequest, decided: Decided) -> EngineCall:
    """Build the engine's request from an allow-list."""
    return EngineCall(GENERATIONS, _encode(_body(dialect, request, decided)))


def edit(dialect: Dialect, request: EditRequest, decided: Decided) -> EngineCall:
    """As `generation`, but as a form with the image and an optional mask."""
    body = _body(dialect, request, decided)
    body.strength = request.strength
    fields = msgspec.to_builtins(body)
    texts = [(name, _text(value)) for name, value in fields.items() if value is not None]
    names = ("image", "mask")[: len(decided.files)]
    kind, parts = form(texts, zip(names, decided.files, strict=True))
    return EngineCall(EDITS, parts, kind)


def stream(dialect: Dialect, request: ImageRequest, decided: Decided) -> Translator:
    """A translator for one stream."""
    edits = isinstance(request, EditRequest)
    return ImageEvents("image_edit" if edits else "image_generation", dialect)


def _text(value: object) -> str:
    """A value as a form field."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _body(dialect: Dialect, request: ImageRequest, decided: Decided) -> _Body:
    drawn = size(request, decided.model)
    body = _Body(
        model=decided.engine_model,
        prompt=request.prompt,
        n=request.count,
        size=drawn and spelt(drawn),
        seed=request.seed,
        num_inference_steps=request.num_inference_steps,
        guidance_scale=request.guidance_scale,
        negative_prompt=request.negative_prompt or None,
        output_format=request.output_format,
        output_compression=request.output_compression,
        quality=request.quality,
        stream=request.stream or None,
        partial_images=request.partial_images,
        max_input_tokens=decided.max_input_tokens,
    )
    if dialect.measures:
        _check(request)
        return body
    if not request.stream:  # other servers may return URLs, which we cannot keep valid
        body.response_format = "b64_json"
    body.style, body.background = request.style, request.background
    body.moderation = request.moderation
    return body


def _check(request: ImageRequest) -> None:
    """Reject what our own engines do not support. Raises BadRequest."""
    if request.style is not None:
        raise unsupported("style", "describe the style in the prompt.")
