"""Every operation of the API, with examples."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from oxlo.portal.openapi import replies
from oxlo.store.usage import BY
from oxlo.wire.detection import DetectRequest
from oxlo.wire.embeddings import EmbeddingRequest
from oxlo.wire.images import EditRequest, ImageRequest
from oxlo.wire.receipts import Receipt, ReceiptList
from oxlo.wire.shapes.chat import ChatFields
from oxlo.wire.shapes.completions import CompletionFields
from oxlo.wire.speech import SpeechRequest
from oxlo.wire.transcription import TranscriptionRequest, TranslationRequest

_HELLO = [{"role": "user", "content": "Say hello."}]
#: A PNG of one white pixel.
_PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAsoEUtQAAAABJRU5ErkJggg=="
)
#: Location of a parameter.
Place = Literal["path", "query", "header"]
_TEXT = {"type": "string"}
_NAME = {"type": "string", "minLength": 1}


class Parameter(NamedTuple):
    """A path, query or header parameter."""

    name: str
    place: Place
    meaning: str
    schema: Mapping[str, Any] = _TEXT


#: Headers of every inference request.
HEADERS = (
    Parameter(
        "Idempotency-Key",
        "header",
        "Your choice: a call that is repeated with it gets the first answer, and counts once.",
        {"type": "string", "pattern": "^[!-~]{1,255}$"},
    ),
    Parameter(
        "X-Oxlo-Dry-Run",
        "header",
        "With 1, the call is not made: the response, a DryRunReply, says what would happen.",
        {"enum": ["1", "0", "true", "false"]},
    ),
)


class Operation(NamedTuple):
    """A method and path."""

    method: Literal["get", "post"]
    path: str
    id: str
    tag: str
    summary: str
    #: Slug of its documentation page.
    page: str
    reply: Any
    #: Type of the request body; None: no body.
    body: Any = None
    #: Abilities whose parameters apply to it.
    abilities: tuple[str, ...] = ()
    example: dict[str, Any] | None = None
    #: Whether multipart forms are accepted; `only`: JSON is not.
    form: Literal["no", "too", "only"] = "no"
    #: Index of the page's JSON block that is an example of the reply; None: no example.
    reply_block: int | None = 0
    #: Path and query parameters.
    parameters: tuple[Parameter, ...] = ()


#: Groups of operations, in display order.
TAGS = {
    "Chat": "Text in, text out: conversations and continuations.",
    "Embeddings": "Texts as vectors.",
    "Images": "Images generated from a prompt or from other images.",
    "Audio": "Speech to text, and text to speech.",
    "Detection": "Which objects are in an image, and where.",
    "Models": "The list, and what each model can do and accepts. Free.",
    "Account": "What is left, and what each call did. Free.",
}

#: Descriptions of fields that are not in the catalogue, because they are the same for all models.
MEANINGS = {
    "model": "The model: an id or alias from GET /v1/models.",
    "models": "Who may answer when `model` cannot: ids or aliases, in order. No other model does.",
    "messages": "The conversation, oldest turn first.",
    "prompt": "The text to continue, or what to draw.",
    "input": "The text, or the texts.",
    "image": "The image: a URL, a data URI or base64; in a form, a file.",
    "mask": "The area to draw again, as an image of the same size.",
    "file": "The recording, as a file of the form.",
    "functions": "The older form of `tools`: the functions alone.",
    "function_call": "The older form of `tool_choice`: none, auto, or an object with a name.",
    "user": "Your name for your end user. Has no effect.",
    "metadata": "Your own notes. Has no effect.",
    "store": "Accepted; prompts and answers are never stored.",
    "service_tier": "Accepted; plans decide who goes first.",
    "safety_identifier": "Changes nothing.",
    "prompt_cache_key": "Accepted; engines cache prompts by themselves.",
    "prompt_cache_retention": "Accepted; engines cache prompts by themselves.",
    "prompt_cache_options": "Accepted; engines cache prompts by themselves.",
    "prediction": "Changes nothing.",
    "verbosity": "Changes nothing.",
    "modalities": "What the answer is made of: text.",
    "best_of": "How many answers are generated to choose from.",
    "echo": "Whether to return the prompt before its continuation.",
    "logprobs": "How many of the most likely tokens to return at each position, 0 to 5.",
    "suffix": "The text that follows the continuation.",
    "encoding_format": "Numbers, or base64 of little-endian floats.",
    "dimensions": "How many numbers a vector has, where a model can shorten it.",
    "style": "Refused by models that run here: describe the style in the prompt.",
    "background": "Images are opaque.",
    "moderation": "Changes nothing.",
    "input_fidelity": "Changes nothing.",
    "voice": "A name from GET /v1/audio/voices, or one of OpenAI's.",
    "instructions": "How to speak; models without this ability ignore it.",
    "stream_format": "Audio as it is, or as events with base64.",
    "chunking_strategy": "With `auto`, parts without speech are removed first.",
    "confidence_threshold": "Another name for `confidence`.",
    "repetition_penalty": "Another name for `repeat_penalty`.",
}

_MODEL = Parameter("model", "path", "An id or alias.", _NAME)
#: A date or a timestamp.
_TIMESTAMP = {
    "anyOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}]
}
_BY = {"type": "array", "items": {"enum": list(BY)}, "minItems": 1, "uniqueItems": True}
_LIMIT = {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}

OPERATIONS = (
    Operation(
        "post", "/v1/chat/completions", "createChatCompletion", "Chat", "Answer a conversation",
        "api/chat", replies.ChatReply, ChatFields,
        ("chat", "tools", "json", "logprobs", "reasoning"),
        {"model": "smollm2-135m", "messages": _HELLO, "max_tokens": 16},
    ),
    Operation("get", "/v1/chat/completions", "listStoredChats", "Chat",
              "The chats that are stored: none, ever", "api/chat", replies.StoredChats,
              reply_block=None),
    Operation(
        "post", "/v1/completions", "createCompletion", "Chat", "Continue a text",
        "api/completions", replies.CompletionReply, CompletionFields, ("completions", "logprobs"),
        {"model": "smollm2-135m", "prompt": "Once upon a time", "max_tokens": 16},
    ),
    Operation(
        "post", "/v1/embeddings", "createEmbedding", "Embeddings", "Create embeddings",
        "api/embeddings", replies.EmbeddingReply, EmbeddingRequest, ("embeddings",),
        {"model": "minilm-l6", "input": ["a cat", "a kitten"]},
    ),
    Operation(
        "post", "/v1/images/generations", "createImage", "Images", "Generate images from a prompt",
        "api/images", replies.ImageReply, ImageRequest, ("images",),
        {"model": "tiny-scenes", "prompt": "a red house under a blue sky", "n": 1},
    ),
    Operation(
        "post", "/v1/images/edits", "editImage", "Images", "Edit images with a prompt",
        "api/images", replies.ImageReply, EditRequest, ("images", "image_edits"),
        {"model": "tiny-scenes", "prompt": "at night",
         "image": f"data:image/png;base64,{_PIXEL}"}, "too",
    ),
    Operation(
        "post", "/v1/audio/speech", "createSpeech", "Audio", "Speak a text",
        "api/speech", bytes, SpeechRequest, ("speech",),
        {"model": "kokoro-82m", "input": "Hello.", "voice": "af_heart"}, reply_block=None,
    ),
    Operation(
        "get", "/v1/audio/voices", "listVoices", "Audio", "List the voices",
        "api/speech", replies.VoiceList,
        parameters=(Parameter("model", "query", "Only those of this model."),),
    ),
    Operation(
        "post", "/v1/audio/transcriptions", "createTranscription", "Audio",
        "Transcribe audio",
        "api/transcription", replies.Transcript, TranscriptionRequest, ("transcription",),
        {"model": "whisper-base", "file": "oxlo-file:0", "response_format": "verbose_json"}, "only",
    ),
    Operation(
        "post", "/v1/audio/translations", "createTranslation", "Audio",
        "Translate audio into English",
        "api/transcription", replies.Transcript, TranslationRequest, ("translation",),
        {"model": "whisper-base", "file": "oxlo-file:0"}, "only",
    ),
    Operation(
        "post", "/v1/detect", "detect", "Detection", "Detect objects in an image",
        "api/detection", replies.DetectReply, DetectRequest, ("detection",),
        {"model": "centernet-mobilenetv3", "image": f"data:image/png;base64,{_PIXEL}",
         "confidence": 0.25}, "too",
    ),
    Operation("get", "/v1/models", "listModels", "Models", "List the models", "api/models",
              replies.ModelList, reply_block=None),
    Operation("get", "/v1/models/{model}", "getModel", "Models", "One model", "api/models",
              replies.ModelEntry, parameters=(_MODEL,)),
    Operation("get", "/v1/models/{model}/parameters", "getModelParameters", "Models",
              "List a model's parameters", "api/models", replies.ModelParameters, reply_block=2,
              parameters=(_MODEL,)),
    Operation("get", "/v1/limits", "getLimits", "Account", "Show what is left, and when it resets",
              "api/limits", replies.LimitsReply),
    Operation(
        "get", "/v1/requests", "listReceipts", "Account", "List your calls", "receipts",
        ReceiptList, reply_block=None,
        parameters=(
            Parameter("limit", "query", "How many, 1 to 100; 20 by default.", _LIMIT),
            Parameter("after", "query", "A call's id: the list continues with older ones."),
            Parameter("model", "query", "Only those of this model."),
            Parameter("outcome", "query", "Only those with this outcome."),
            Parameter("key", "query", "Only those made with this key."),
            Parameter("counted", "query", "Only those that counted (true), or did not (false).",
                      {"type": "boolean"}),
        ),
    ),
    Operation("get", "/v1/requests/{id}", "getReceipt", "Account", "Show the receipt of a call",
              "receipts", Receipt,
              parameters=(Parameter("id", "path", "The x-request-id of the call.", _NAME),)),
    Operation(
        "get", "/v1/usage", "getUsage", "Account", "Calls added up", "api/usage",
        replies.UsageReply,
        parameters=(
            Parameter("from", "query", "The start: a date, or a time (ISO 8601).", _TIMESTAMP),
            Parameter("to", "query", "The end, not included.", _TIMESTAMP),
            Parameter("by", "query", "Comma-separated: day, hour, model, endpoint, key, outcome.",
                      _BY),
        ),
    ),
)  # fmt: skip
