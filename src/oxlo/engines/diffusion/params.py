"""The fields of a request to an image engine."""

from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from oxlo.wire.decode import Decoder, refused
from oxlo.wire.images import OutputFormat, Quality, check_compression, check_stream


class ImageParams(msgspec.Struct, kw_only=True):
    """Fields of both endpoints; unknown ones are ignored."""

    prompt: str
    model: str = ""
    negative_prompt: str | None = None
    size: str | None = None
    width: int | None = None
    height: int | None = None
    n: Annotated[int, Meta(ge=1, le=10)] | None = None
    seed: int | None = None
    num_inference_steps: Annotated[int, Meta(ge=1, le=500)] | None = None
    guidance_scale: Annotated[float, Meta(ge=0, le=100)] | None = None
    strength: Annotated[float, Meta(ge=0.01, le=1)] | None = None
    output_format: OutputFormat | None = None
    output_compression: Annotated[int, Meta(ge=0, le=100)] | None = None
    quality: Quality | None = None
    stream: bool | None = None
    partial_images: Annotated[int, Meta(ge=0, le=3)] | None = None
    #: The plan's limit on the prompt, if the gateway sends one.
    max_input_tokens: int | None = None


_decoder: Decoder[ImageParams] = Decoder(ImageParams)


def read(body: bytes) -> ImageParams:
    """Decode a JSON body. Raises BadRequest."""
    return _checked(_decoder.decode(body)[0])


def read_form(fields: Mapping[str, object]) -> ImageParams:
    """Decode form fields, which are all strings. Raises BadRequest."""
    try:
        return _checked(msgspec.convert(fields, ImageParams, strict=False))
    except msgspec.ValidationError as error:
        raise refused(error, ImageParams) from None


def _checked(params: ImageParams) -> ImageParams:
    check_stream(params)
    check_compression(params)
    return params
