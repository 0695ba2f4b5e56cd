"""POST /v1/images/generations and /v1/images/edits: decoding and validating requests."""

from typing import Literal, Protocol

import msgspec

from oxlo.catalogue import Model
from oxlo.catalogue.parameters import PerModel
from oxlo.errors import BadRequest
from oxlo.wire.decode import Decoder, invalid, unsupported
from oxlo.wire.media import Medium
from oxlo.wire.ranges import check_ranges
from oxlo.wire.request import Whole
from oxlo.wire.sizes import Size, sizes

#: OpenAI's limit on prompts, in characters; the plan's limit in tokens applies, too.
LONGEST_PROMPT = 32_000

OutputFormat = Literal["png", "jpeg", "webp"]
#: OpenAI's current values, and those of its retired models.
Quality = Literal["auto", "low", "medium", "high", "xhigh", "max", "standard", "hd"]
ResponseFormat = Literal["url", "b64_json"]


class ImageRequest(msgspec.Struct, Whole, kw_only=True):
    """An image generation request."""

    prompt: str
    #: Empty: a ready model.
    model: str = ""
    n: int | None = None
    size: str | None = None
    width: int | None = None
    height: int | None = None
    seed: int | None = None
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    negative_prompt: str | None = None
    response_format: ResponseFormat | None = None
    output_format: OutputFormat | None = None
    #: Quality of jpeg and webp, 0 to 100.
    output_compression: int | None = None
    quality: Quality | None = None
    #: For OpenAI's retired models; only upstream servers may support it.
    style: Literal["vivid", "natural"] | None = None
    background: Literal["auto", "opaque", "transparent"] | None = None
    moderation: Literal["auto", "low"] | None = None
    user: str | None = None
    safety_identifier: str | None = None
    stream: bool | None = None
    #: Number of previews in a stream.
    partial_images: int | None = None

    @property
    def sse(self) -> bool:
        """Streams are server-sent events."""
        return True

    @property
    def text_bytes(self) -> int:
        """Size of the prompt or negative prompt: the limit applies to each."""
        return max(len(self.prompt.encode()), len((self.negative_prompt or "").encode()))

    @property
    def count(self) -> int:
        """Number of images."""
        return self.n or 1

    @property
    def wants_url(self) -> bool:
        """Whether the response has URLs, so that the images are stored."""
        return self.response_format != "b64_json"

    @property
    def wants_base64(self) -> bool:
        """Whether the response has base64."""
        return self.response_format != "url"

    @property
    def sized(self) -> bool:
        """Whether a size was requested."""
        return bool(self.width or self.height or self.size not in (None, "", "auto"))


class EditRequest(ImageRequest, kw_only=True):
    """An image edit request."""

    #: A URL, a data URI, base64, or `oxlo-file:N`.
    image: str | list[str]
    #: An image of the same size whose transparent or white part is redrawn.
    mask: str | None = None
    strength: float | None = None
    #: Accepted for compatibility.
    input_fidelity: Literal["low", "high"] | None = None

    def media(self) -> tuple[Medium, ...]:
        """The image, then the mask."""
        image = self.image if isinstance(self.image, str) else self.image[0]
        media = (Medium(source=image, kind="image", param="image"),)
        if self.mask is None:
            return media
        return (*media, Medium(source=self.mask, kind="image", param="mask"))


_NEEDED = {
    "image": "It is the picture to edit: in JSON a URL or a data URI, in a form a file. "
    "With curl: -F image=@photo.png"
}
#: OpenAI's field that is refused, because ignoring it would change the image.
_REFUSED = {"markup": "no model here follows marks. Say in the prompt what to change and where."}
_image: Decoder[ImageRequest] = Decoder(ImageRequest)
_edit: Decoder[EditRequest] = Decoder(EditRequest, _REFUSED, needed=_NEEDED)
_form: Decoder[EditRequest] = Decoder(EditRequest, _REFUSED, needed=_NEEDED, form=True)


def decode(body: bytes) -> tuple[ImageRequest, tuple[str, ...]]:
    """Decode a request, and name its unknown fields. Raises BadRequest."""
    request, unknown = _image.decode(body)
    _check(request)
    return request, unknown


def decode_edit(body: bytes) -> tuple[EditRequest, tuple[str, ...]]:
    """As `decode`, for an edit in JSON."""
    return _checked(*_edit.decode(body))


def decode_form(body: bytes) -> tuple[EditRequest, tuple[str, ...]]:
    """As `decode`, for form fields, which are strings."""
    return _checked(*_form.decode(body))


def _checked(request: EditRequest, unknown: tuple[str, ...]) -> tuple[EditRequest, tuple[str, ...]]:
    _check(request)
    if isinstance(request.image, list) and len(request.image) != 1:
        raise invalid("image", f"expected one image, got {len(request.image)}.")
    return request, unknown


def _check(request: ImageRequest) -> None:
    if not request.prompt.strip():
        raise invalid("prompt", "it may not be empty.")
    for name in ("prompt", "negative_prompt"):
        if len(getattr(request, name) or "") > LONGEST_PROMPT:
            raise invalid(name, f"at most {LONGEST_PROMPT:,} characters.")
    if request.background == "transparent":
        raise unsupported("background", "images cannot have a transparent background.")
    if request.stream and request.response_format == "url":
        raise invalid(
            "response_format", "a stream returns images as base64. Use b64_json, or leave it out."
        )
    check_stream(request)
    check_compression(request)


class _Streamed(Protocol):
    n: int | None
    stream: bool | None
    partial_images: int | None


def check_stream(request: _Streamed) -> None:
    """Validate the streaming fields. Raises BadRequest."""
    if request.partial_images and not request.stream:
        raise invalid(
            "partial_images", "partial images are only sent in a stream. Set stream to true."
        )
    if request.stream and (request.n or 1) > 1:
        raise BadRequest(
            "Streaming is only supported with n=1.", param="n", code="unsupported_parameter"
        )


class _Compressed(Protocol):
    output_format: OutputFormat | None
    output_compression: int | None


def check_compression(request: _Compressed) -> None:
    """Validate `output_compression`; PNG is lossless. Raises BadRequest."""
    compression = request.output_compression
    if compression is not None and compression < 100 and request.output_format in (None, "png"):
        raise BadRequest(
            "Compression less than 100 is not supported for PNG output format. Set output_format "
            "to jpeg or webp.",
            param="output_compression",
            code="invalid_png_output_compression",
        )


def validate(request: ImageRequest, model: Model) -> None:
    """Validate a request for a model. Raises BadRequest."""
    check_ranges(request, model)
    size(request, model)


_sizes = PerModel(sizes)


def size(request: ImageRequest, model: Model) -> Size | None:
    """The size to draw; None if an edit keeps its image's. Raises BadRequest."""
    if isinstance(request, EditRequest) and not request.sized:
        return None
    return _sizes.of(model).choose(request.size, request.width, request.height)
