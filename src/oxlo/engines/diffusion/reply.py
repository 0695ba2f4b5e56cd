"""Response bodies and stream events in OpenAI's shape, with images as base64."""

import base64
from typing import Literal

import msgspec

from oxlo.engines.diffusion.prompts import PromptTokens
from oxlo.wire.images import OutputFormat, Quality

#: Prefix of the types of stream events.
Kind = Literal["image_generation", "image_edit"]


class Format(msgspec.Struct, frozen=True, kw_only=True):
    """What all images of a request share."""

    size: str
    quality: Quality
    background: Literal["opaque"] = "opaque"
    output_format: OutputFormat


class Image(msgspec.Struct, frozen=True, omit_defaults=True):
    """One image; `revised_prompt` is the truncated prompt, if the model did not read all of it."""

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
    created: int, files: list[bytes], seeds: tuple[int, ...], prompt: PromptTokens, form: Format
) -> bytes:
    """The body of a whole response; `files` are encoded images, one for each seed."""
    images = [
        Image(_text(file), seed, prompt.truncated) for file, seed in zip(files, seeds, strict=True)
    ]
    return _encode({"created": created, "data": images, **_fields(form), "usage": _usage(prompt)})


def partial(kind: Kind, created: int, file: bytes, index: int, form: Format) -> bytes:
    """The event of a preview; `index` counts from 0."""
    return _event(f"{kind}.partial_image", created, file, form, {"partial_image_index": index})


def completed(
    kind: Kind, created: int, file: bytes, seed: int, prompt: PromptTokens, form: Format
) -> bytes:
    """The last event: the finished image."""
    more: dict[str, object] = {"usage": _usage(prompt), "seed": seed}
    if prompt.truncated is not None:
        more["revised_prompt"] = prompt.truncated
    return _event(f"{kind}.completed", created, file, form, more)


def _event(kind: str, created: int, file: bytes, form: Format, more: dict[str, object]) -> bytes:
    event = {"type": kind, "b64_json": _text(file), "created_at": created, **_fields(form), **more}
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), _encode(event))


def _fields(form: Format) -> dict[str, object]:
    return msgspec.structs.asdict(form)


def _text(file: bytes) -> str:
    return base64.b64encode(file).decode()


def _usage(prompt: PromptTokens) -> _Usage:
    return _Usage(prompt.tokens, _Details(prompt.tokens), prompt.tokens)


_encode = msgspec.json.Encoder().encode
