"""What requests are checked for beyond their types, as JSON schema: lengths, counts, patterns.

Rules between fields (`top_logprobs` needs `logprobs`) are in the words of the manual alone.
"""

from collections.abc import Collection, Mapping
from typing import Any, get_args

from oxlo.wire.chat import MAX_METADATA
from oxlo.wire.completions import MAX_LOGPROBS, MAX_PROMPTS
from oxlo.wire.embeddings import MAX_ITEMS
from oxlo.wire.sampling import MAX_MODELS, MAX_STOPS
from oxlo.wire.shapes.messages import Part, Url
from oxlo.wire.tools import MOST_TOOLS, Function
from oxlo.wire.transcription import Granularity

Json = dict[str, Any]

#: Types that only these schemas name: requests keep them as bytes until they are needed.
BESIDE = (Function, Part, Url)


def _ref(kind: type) -> Json:
    return {"$ref": f"#/components/schemas/{kind.__name__}"}


def _some(item: Json, most: int | None = None, *, least: int = 1) -> Json:
    """A list, by default with something in it."""
    sizes = {"minItems": least or None, "maxItems": most}
    return {"type": "array", "items": item} | {k: v for k, v in sizes.items() if v is not None}


def _either(*options: Json) -> Json:
    return {"anyOf": list(options)}


def _object(**properties: Json) -> Json:
    """An object that has to have all of these."""
    return {"type": "object", "properties": properties, "required": list(properties)}


_NULL: Json = {"type": "null"}
_TEXT: Json = {"type": "string", "minLength": 1}
_FILE: Json = {"type": "string", "format": "binary"}
_TOKENS = _some({"type": "integer", "minimum": 0, "maximum": (1 << 31) - 1})
_TOOL = _object(type={"const": "function"}, function=_ref(Function))
_NAMED = _object(name={"type": "string"})
_FUNCTION = _object(type={"const": "function"}, function=_NAMED)
_ALLOWED = _object(mode={"enum": ["auto", "required"]}, tools=_some(_FUNCTION))
_CHOICES = _either(
    {"enum": ["none", "auto", "required", None]},
    _FUNCTION,
    _object(type={"const": "allowed_tools"}, allowed_tools=_ALLOWED),
)

_SAMPLING: Json = {
    "models": _some(_TEXT, MAX_MODELS, least=0) | {"type": ["array", "null"]},
    "stop": _either(_TEXT, _some(_TEXT, MAX_STOPS, least=0), _NULL),
    "logit_bias": {
        "type": ["object", "null"],
        "propertyNames": {"pattern": r"^[0-9]{1,9}$"},
        "additionalProperties": {"type": "number", "minimum": -100, "maximum": 100},
    },
}

#: By type and field: the whole schema of the field, but for its words and its default.
BOUNDS: Mapping[str, Mapping[str, Json]] = {
    "ChatFields": _SAMPLING
    | {
        "messages": _some({"$ref": "#/components/schemas/Message"}),
        "tools": _some(_TOOL, MOST_TOOLS, least=0) | {"type": ["array", "null"]},
        "tool_choice": _CHOICES,
        "functions": _some(_ref(Function), MOST_TOOLS, least=0) | {"type": ["array", "null"]},
        "metadata": {
            "type": ["object", "null"],
            "additionalProperties": {"type": "string"},
            "maxProperties": MAX_METADATA,
        },
        "function_call": _either({"enum": ["none", "auto", None]}, _NAMED),
    },
    "Message": {"content": _either({"type": "string"}, _some(_ref(Part)), _NULL)},
    "Part": {"image_url": _either(_ref(Url), _NULL)},
    "Function": {"name": {"type": "string", "pattern": r"^[A-Za-z0-9_.\-]{1,64}$"}},
    "CompletionFields": _SAMPLING
    | {
        "prompt": _either(
            _TEXT, _some(_TEXT, MAX_PROMPTS), _TOKENS, _some(_TOKENS, MAX_PROMPTS)
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
    "ImageRequest": {"prompt": _TEXT},
    "EditRequest": {"prompt": _TEXT},
    "EmbeddingRequest": {
        "input": _either(_TEXT, _some(_TEXT, MAX_ITEMS), _TOKENS, _some(_TOKENS, MAX_ITEMS)),
    },
}  # fmt: skip


def _where(roles: Collection[str], **properties: Json) -> Json:
    """What messages of some roles have to say."""
    of_role = {"properties": {"role": {"enum": list(roles)}}}
    return {"if": of_role, "then": {"properties": properties, "required": list(properties)}}


#: By type: what its fields have to be together.
RULES: Mapping[str, list[Json]] = {
    "Message": [
        _where(("system", "developer", "user", "tool"), content={"type": ["string", "array"]}),
        _where(("tool",), tool_call_id=_TEXT),
        _where(("function",), name=_TEXT),
    ]
}


def bounded(kind: str, name: str, field: Json) -> Json:
    """A field as it is checked."""
    bounds = BOUNDS.get(kind, {}).get(name)
    if bounds is None:
        return field
    return bounds | {word: field[word] for word in ("description", "default") if word in field}
