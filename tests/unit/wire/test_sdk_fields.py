"""Every field that OpenAI's SDK can send is ours, or the manual says what becomes of it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec
import pytest
from openai.types import (
    completion_create_params,
    embedding_create_params,
    image_edit_params,
    image_generate_params,
)
from openai.types.audio import (
    speech_create_params,
    transcription_create_params,
    translation_create_params,
)
from openai.types.chat import ChatCompletionContentPartImageParam
from openai.types.chat import completion_create_params as chats

from oxlo.wire.embeddings import EmbeddingRequest
from oxlo.wire.images import EditRequest, ImageRequest
from oxlo.wire.options import options
from oxlo.wire.shapes.chat import ChatFields
from oxlo.wire.shapes.completions import CompletionFields
from oxlo.wire.shapes.messages import Url
from oxlo.wire.speech import SpeechRequest
from oxlo.wire.transcription import TranscriptionRequest, TranslationRequest

DOCS = Path(__file__).parents[3] / "docs" / "api"
#: OpenAI's type, ours, and the page about it.
REQUESTS = [
    (chats.CompletionCreateParamsStreaming, ChatFields, "chat"),
    (completion_create_params.CompletionCreateParamsStreaming, CompletionFields, "completions"),
    (embedding_create_params.EmbeddingCreateParams, EmbeddingRequest, "embeddings"),
    (image_generate_params.ImageGenerateParamsStreaming, ImageRequest, "images"),
    (image_edit_params.ImageEditParamsStreaming, EditRequest, "images"),
    (
        transcription_create_params.TranscriptionCreateParamsStreaming,
        TranscriptionRequest,
        "transcription",
    ),
    (translation_create_params.TranslationCreateParams, TranslationRequest, "transcription"),
    (speech_create_params.SpeechCreateParams, SpeechRequest, "speech"),
]
#: Texts whose values the SDK only suggests; they depend on the model.
FREE = {"model", "size", "voice"}


def named(page: str) -> set[str]:
    """The words that a page sets in the type of code."""
    return set(re.findall(r"`(\w+)(?:\[\])?[^`]*`", (DOCS / f"{page}.md").read_text()))


def choices(hint: Any) -> Iterator[str]:
    """The texts that a type allows, at any depth; those of objects are not looked at."""
    if get_origin(hint) is Literal:
        yield from (str(value) for value in get_args(hint))
    else:
        for each in get_args(hint):
            yield from choices(each)


def ours(kind: type, name: str) -> set[str]:
    return {*options(kind, f".{name}"), *options(kind, f".{name}[...]")}


@pytest.mark.parametrize(("theirs", "kind", "page"), REQUESTS)
def test_every_field_is_known(theirs: Any, kind: type, page: str) -> None:
    """A field that is not read is on the endpoint's page, as refused or as ignored."""
    known = {field.encode_name for field in msgspec.structs.fields(kind)}
    assert get_type_hints(theirs).keys() - known - named(page) == set()


@pytest.mark.parametrize(("theirs", "kind", "page"), REQUESTS)
def test_every_choice_is_known(theirs: Any, kind: type, page: str) -> None:
    """Where ours has choices, OpenAI's are among them, or on the endpoint's page."""
    for name, hint in get_type_hints(theirs).items():
        mine = ours(kind, name) if name not in FREE else set()
        if mine:
            assert set(choices(hint)) - mine - named(page) == set(), name


def test_every_level_of_detail_is_known() -> None:
    """Of images in chats, too."""
    theirs = get_type_hints(get_type_hints(ChatCompletionContentPartImageParam)["image_url"])
    assert set(choices(theirs["detail"])) <= ours(Url, "detail")
