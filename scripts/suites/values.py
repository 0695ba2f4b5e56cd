"""Replacements for values in the requests of OpenAI's suites, which target a mock server.

Every request gets a ready model and, unless it limits the response's length, a small limit. With
"usable" values, invalid values are replaced by valid ones, and fields are removed that are not
supported or exclude each other; no fields are added.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Values:
    """Replacements in the requests of an endpoint."""

    #: The required ability of the model.
    ability: str
    #: Defaults for missing fields.
    short: Mapping[str, Any] = field(default_factory=dict)
    #: Usable values of fields that are present.
    usable: Mapping[str, Any] = field(default_factory=dict)
    #: Fields that are removed with usable values.
    without: frozenset[str] = frozenset()
    #: File fields, with the kind of usable file: "recording" or "picture".
    files: Mapping[str, str] = field(default_factory=dict)


#: Fields that require streaming.
_STREAMED = frozenset({"stream_options", "partial_images"})
_IMAGES = {
    "background": "auto",
    "output_format": "png",
    "quality": "auto",
    "response_format": "b64_json",
    "size": "64x64",
}
_NO_IMAGES = frozenset({"output_compression", "style", "markup"})

VALUES = {
    "/chat/completions": Values(
        "chat",
        short={"max_completion_tokens": 16},
        usable={"logit_bias": {"15": 0}, "max_tokens": 16, "max_completion_tokens": 16},
        # functions and function_call are the deprecated form of tools; both together are invalid.
        without=frozenset({"web_search_options", "moderation", "functions", "function_call"}),
    ),
    "/completions": Values(
        "completions",
        short={"max_tokens": 16},
        usable={"logit_bias": {"15": 0}, "best_of": 1},
        # echo is not there together with logprobs, which the suites send too.
        without=frozenset({"suffix", "echo"}),
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
    """Return a request's fields with replacements."""
    made = dict(sent)
    if model is not None:
        made["model"] = model
    if not values.short.keys() & made.keys() and "max_tokens" not in made:
        made |= values.short
    if not usable:
        return made
    streamed = str(made.get("stream")).lower() == "true"  # a string in forms
    gone = values.without if streamed else values.without | _STREAMED
    return {
        name: values.usable.get(name, value) for name, value in made.items() if name not in gone
    }
