"""JSON schema of validation beyond the types: lengths, counts, patterns.

Rules that depend on the model (`dimensions`, `size`, `voice`) are described in the manual only.
"""

from collections.abc import Mapping
from typing import Any, get_args

from oxlo.wire.chat import MAX_METADATA
from oxlo.wire.completions import MAX_LOGPROBS, MAX_PROMPTS
from oxlo.wire.embeddings import MAX_ITEMS
from oxlo.wire.sampling import MAX_MODELS, MAX_STOPS
from oxlo.wire.shapes.messages import Part, Url
from oxlo.wire.tools import MOST_TOOLS, Function
from oxlo.wire.transcription import Granularity

Json = dict[str, Any]

#: Types referenced only here: requests decode them lazily from raw bytes.
EXTRA_TYPES = (Function, Part, Url)


def _ref(kind: type) -> Json:
    return {"$ref": f"#/components/schemas/{kind.__name__}"}


def _array(item: Json, max_items: int | None = None, *, min_items: int = 1) -> Json:
    """An array, by default not empty."""
    sizes = {"minItems": min_items or None, "maxItems": max_items}
    return {"type": "array", "items": item} | {k: v for k, v in sizes.items() if v is not None}


def _either(*options: Json) -> Json:
    return {"anyOf": list(options)}


def _object(**properties: Json) -> Json:
    """An object with all of these properties required."""
    return {"type": "object", "properties": properties, "required": list(properties)}


_NULL: Json = {"type": "null"}
_TEXT: Json = {"type": "string", "minLength": 1}
_FILE: Json = {"type": "string", "format": "binary"}
_TOKENS = _array({"type": "integer", "minimum": 0, "maximum": (1 << 31) - 1})
_TOOL = _object(type={"const": "function"}, function=_ref(Function))
_NAMED = _object(name={"type": "string"})
_FUNCTION = _object(type={"const": "function"}, function=_NAMED)
_ALLOWED = _object(mode={"enum": ["auto", "required"]}, tools=_array(_FUNCTION))
_CHOICES = _either(
    {"enum": ["none", "auto", "required", None]},
    _FUNCTION,
    _object(type={"const": "allowed_tools"}, allowed_tools=_ALLOWED),
)

_PICTURE: Json = {"prompt": _TEXT, "background": {"enum": ["auto", "opaque", None]}}
_SAMPLING: Json = {
    "models": _array(_TEXT, MAX_MODELS, min_items=0) | {"type": ["array", "null"]},
    "stop": _either(_TEXT, _array(_TEXT, MAX_STOPS, min_items=0), _NULL),
    "logit_bias": {
        "type": ["object", "null"],
        "propertyNames": {"pattern": r"^[0-9]{1,9}$"},
        "additionalProperties": {"type": "number", "minimum": -100, "maximum": 100},
    },
}

#: By type and field: the field's schema without description and default.
BOUNDS: Mapping[str, Mapping[str, Json]] = {
    "ChatFields": _SAMPLING
    | {
        "messages": _array({"$ref": "#/components/schemas/Message"}),
        "tools": _array(_TOOL, MOST_TOOLS, min_items=0) | {"type": ["array", "null"]},
        "tool_choice": _CHOICES,
        "functions": _array(_ref(Function), MOST_TOOLS, min_items=0) | {"type": ["array", "null"]},
        "metadata": {
            "type": ["object", "null"],
            "additionalProperties": {"type": "string"},
            "maxProperties": MAX_METADATA,
        },
        "function_call": _either({"enum": ["none", "auto", None]}, _NAMED),
    },
    "Message": {"content": _either({"type": "string"}, _array(_ref(Part)), _NULL)},
    "Part": {"image_url": _either(_ref(Url), _NULL)},
    "Function": {"name": {"type": "string", "pattern": r"^[A-Za-z0-9_.\-]{1,64}$"}},
    "CompletionFields": _SAMPLING
    | {
        "prompt": _either(
            _TEXT, _array(_TEXT, MAX_PROMPTS), _TOKENS, _array(_TOKENS, MAX_PROMPTS)
        ),
        "logprobs": {"type": ["integer", "null"], "minimum": 0, "maximum": MAX_LOGPROBS},
        "best_of": {"type": ["integer", "null"], "minimum": 1},
    },
    "SpeechRequest": {"input": {"type": "string", "pattern": r"\S"}},
    "TranscriptionRequest": {
        "file": _FILE,
        "timestamp_granularities": {
            "type": ["array", "null"],
            "items": {"enum": list(get_args(Granularity))},
        },
    },
    "TranslationRequest": {"file": _FILE},
    "ImageRequest": _PICTURE,
    "EditRequest": _PICTURE,
    "EmbeddingRequest": {
        "input": _either(_TEXT, _array(_TEXT, MAX_ITEMS), _TOKENS, _array(_TOKENS, MAX_ITEMS)),
    },
}  # fmt: skip


def _when(name: str, value: Json, /, **properties: Json) -> Json:
    """A rule: what else an object needs if this property has such a value."""
    given = {"properties": {name: value}, "required": [name]}
    return {"if": given, "then": {"properties": properties, "required": list(properties)}}


def _only(name: str, value: Json, /, **properties: Json) -> Json:
    """A rule: what other properties may be, where they are sent, if this one has such a value."""
    given = {"properties": {name: value}, "required": [name]}
    return {"if": given, "then": {"properties": properties}}


_NOT_EMPTY: Json = {"type": "array", "minItems": 1}
_SENT: Json = {"not": _NULL}
_LOSSY: Json = {"enum": ["jpeg", "webp"]}
_STREAMED = _when("stream_options", {"type": "object"}, stream={"const": True})
_SCHEMA = _object(schema={"type": "object"})
_IMAGES = [
    _when("output_compression", {"type": "integer", "maximum": 99}, output_format=_LOSSY),
    _when("partial_images", {"type": "integer", "minimum": 1}, stream={"const": True}),
    _only(
        "stream",
        {"const": True},
        n={"enum": [1, None]},
        response_format={"enum": ["b64_json", None]},
    ),
]


def _content_without(*kinds: str) -> Json:
    """A message's content, without these kinds of parts."""
    part = {"properties": {"type": {"not": {"enum": list(kinds)}}}}
    return {"type": ["string", "array"], "items": part}


#: By type: constraints between fields.
RULES: Mapping[str, list[Json]] = {
    "ChatFields": [
        _STREAMED,
        _when("top_logprobs", {"type": "integer"}, logprobs={"const": True}),
        _when("tool_choice", {"not": {"enum": ["none", "auto", None]}}, tools=_NOT_EMPTY),
        _when("function_call", {"type": "object"}, functions=_NOT_EMPTY),
        _only("functions", _SENT, tools=_NULL, tool_choice=_NULL),
        _only("function_call", _SENT, tools=_NULL, tool_choice=_NULL),
    ],
    "CompletionFields": [_STREAMED],
    "ImageRequest": _IMAGES,
    "EditRequest": _IMAGES,
    "TranscriptionRequest": [
        _when("timestamp_granularities", _NOT_EMPTY, response_format={"const": "verbose_json"}),
        _only("stream", {"const": True}, response_format={"enum": ["json", "text", None]}),
    ],
    "Message": [
        _when("role", {"const": "user"}, content=_content_without("refusal")),
        _when(
            "role",
            {"enum": ["system", "developer", "tool"]},
            content=_content_without("refusal", "image_url"),
        ),
        _when("role", {"const": "tool"}, tool_call_id=_TEXT),
        _when("role", {"const": "function"}, name=_TEXT),
    ],
    "Part": [
        _when("type", {"const": "text"}, text={"type": "string"}),
        _when("type", {"const": "refusal"}, refusal={"type": "string"}),
        _when("type", {"const": "image_url"}, image_url={"type": "object"}),
    ],
    "ResponseFormat": [
        {
            "if": {"properties": {"type": {"const": "json_schema"}}},
            # The second is the format of Together and Fireworks.
            "then": {"anyOf": [_object(json_schema=_SCHEMA), _SCHEMA]},
        }
    ],
}


def bounded(kind: str, name: str, field: Json) -> Json:
    """Replace a field's schema by its bounds, keeping description and default."""
    bounds = BOUNDS.get(kind, {}).get(name)
    if bounds is None:
        return field
    return bounds | {key: field[key] for key in ("description", "default") if key in field}
