"""What an image engine answers: OpenAI's object or its events, the images in base64."""

import base64
from typing import Literal

import msgspec

from oxlo.engines.diffusion.prompt import Read
from oxlo.wire.images import OutputFormat, Quality

#: What a stream's events are called after.
Kind = Literal["image_generation", "image_edit"]


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What all images of a call have in common."""

    size: str
    quality: Quality
    background: Literal["opaque"] = "opaque"
    output_format: OutputFormat


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


def reply(
    created: int, files: list[bytes], seeds: tuple[int, ...], read: Read, look: Look
) -> bytes:
    """The body. `files` are whole image files, one for each seed."""
    images = [Image(_text(file), seed, read.cut) for file, seed in zip(files, seeds, strict=True)]
    return _encode({"created": created, "data": images, **_fields(look), "usage": _usage(read)})


def partial(kind: Kind, created: int, file: bytes, index: int, look: Look) -> bytes:
    """The event of an image under way: an image file, and how many came before it."""
    return _event(f"{kind}.partial_image", created, file, look, {"partial_image_index": index})


def completed(kind: Kind, created: int, file: bytes, seed: int, read: Read, look: Look) -> bytes:
    """The event of the finished image, which is the last."""
    more: dict[str, object] = {"usage": _usage(read), "seed": seed}
    if read.cut is not None:
        more["revised_prompt"] = read.cut
    return _event(f"{kind}.completed", created, file, look, more)


def _event(kind: str, created: int, file: bytes, look: Look, more: dict[str, object]) -> bytes:
    told = {"type": kind, "b64_json": _text(file), "created_at": created, **_fields(look), **more}
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), _encode(told))


def _fields(look: Look) -> dict[str, object]:
    return msgspec.structs.asdict(look)


def _text(file: bytes) -> str:
    return base64.b64encode(file).decode()


def _usage(read: Read) -> _Usage:
    return _Usage(read.tokens, _Details(read.tokens), read.tokens)


_encode = msgspec.json.Encoder().encode
