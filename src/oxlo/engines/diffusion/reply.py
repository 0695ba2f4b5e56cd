"""What an image engine answers: OpenAI's object, the images in base64."""

import base64

import msgspec

from oxlo.engines.diffusion.prompt import Read
from oxlo.engines.diffusion.wish import OutputFormat


class Image(msgspec.Struct, frozen=True, omit_defaults=True):
    """One image; which seed made it, and the prompt that was read where it was not all of it."""

    b64_json: str
    seed: int
    revised_prompt: str | None = None


class _Details(msgspec.Struct, frozen=True):
    text_tokens: int
    image_tokens: int = 0


class _Usage(msgspec.Struct, frozen=True):
    input_tokens: int
    input_tokens_details: _Details
    total_tokens: int
    output_tokens: int = 0


class _Reply(msgspec.Struct, frozen=True, kw_only=True):
    created: int
    data: list[Image]
    size: str
    output_format: OutputFormat
    usage: _Usage


def reply(
    created: int, files: list[bytes], seeds: tuple[int, ...], read: Read, size: str,
    output_format: OutputFormat,
) -> bytes:  # fmt: skip
    """The body. `files` are whole image files, one for each seed."""
    images = [
        Image(base64.b64encode(file).decode(), seed, read.cut)
        for file, seed in zip(files, seeds, strict=True)
    ]
    usage = _Usage(read.tokens, _Details(read.tokens), read.tokens)
    return msgspec.json.encode(
        _Reply(
            created=created, data=images, size=size, output_format=output_format, usage=usage
        )
    )  # fmt: skip
