"""What OpenAI's suites send, and what stands in for it: they were written against a mock.

Every call gets a model that is ready and, where it says nothing of its answer's length, a short
one. "Usable" calls also get valid values for those that no server could take, and lose fields that
are refused here or may not stand together; they gain no field.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Values:
    """What becomes of the calls to one endpoint."""

    #: What a model has to be able to do.
    ability: str
    #: Fields that each call gets where they are missing.
    short: Mapping[str, Any] = field(default_factory=dict)
    #: Usable values, for fields that are sent.
    usable: Mapping[str, Any] = field(default_factory=dict)
    #: Fields that usable calls lose.
    without: frozenset[str] = frozenset()
    #: File fields, by the kind of file that is usable: "recording" or "picture".
    files: Mapping[str, str] = field(default_factory=dict)


#: Fields that only streams have.
_STREAMED = frozenset({"stream_options", "partial_images"})
_IMAGES = {
    "background": "auto",
    "output_format": "png",
    "quality": "auto",
    "response_format": "b64_json",
    "size": "64x64",
}
_NO_IMAGES = frozenset({"output_compression", "style"})

VALUES = {
    "/chat/completions": Values(
        "chat",
        short={"max_completion_tokens": 16},
        usable={"logit_bias": {"15": 0}, "max_tokens": 16, "max_completion_tokens": 16},
        # functions and function_call are the old spelling of tools: not both.
        without=frozenset({"web_search_options", "functions", "function_call"}),
    ),
    "/completions": Values(
        "completions",
        short={"max_tokens": 16},
        usable={"logit_bias": {"15": 0}, "best_of": 1},
        without=frozenset({"suffix"}),
    ),
    "/embeddings": Values("embeddings", usable={"dimensions": 384, "encoding_format": "float"}),
    "/images/generations": Values("images", usable=_IMAGES, without=_NO_IMAGES),
    "/images/edits": Values(
        "image_edits",
        usable=_IMAGES,
        without=_NO_IMAGES,
        files={"image": "picture", "image[]": "picture", "mask": "picture"},
    ),
    "/audio/transcriptions": Values(
        "transcription",
        usable={"language": "en", "response_format": "json"},
        without=frozenset(
            {"include[]", "keywords[]", "languages[]", "timestamp_granularities[]"}
            | {"known_speaker_names[]", "known_speaker_references[]"}
        ),
        files={"file": "recording"},
    ),
    "/audio/translations": Values("translation", files={"file": "recording"}),
}


def adapted(values: Values, sent: Json, model: str | None, *, usable: bool) -> Json:
    """The fields of a call as they are passed on."""
    made = dict(sent)
    if model is not None:
        made["model"] = model
    if not values.short.keys() & made.keys() and "max_tokens" not in made:
        made |= values.short
    if not usable:
        return made
    streamed = str(made.get("stream")).lower() == "true"  # forms have texts
    gone = values.without if streamed else values.without | _STREAMED
    return {
        name: values.usable.get(name, value) for name, value in made.items() if name not in gone
    }
