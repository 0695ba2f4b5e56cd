"""The inference endpoints: how each decodes its body and which functions of a dialect it uses."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from oxlo.engines.dialect import Answer, Decided, Dialect, EngineCall, Translator, Usage
from oxlo.engines.dialects import detection as detecting
from oxlo.engines.dialects import embeddings as embedding
from oxlo.engines.dialects import functions, synthesis
from oxlo.engines.dialects import images as image
from oxlo.engines.dialects import transcription as transcribing
from oxlo.wire import chat, completions, detection, embeddings, images, speech, transcription
from oxlo.wire.media import ImageDelivery

#: Returns the request and the names of unknown fields. Raises BadRequest.
Decode = Callable[[bytes], tuple[Any, tuple[str, ...]]]
#: Enough for thousands of vectors, or several images in base64.
LARGE: Final = 256 << 20


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An inference endpoint. A call to it costs one request."""

    name: str
    path: str
    #: The ability required of the model.
    ability: str
    #: Decodes JSON; None: accepts forms only.
    decode: Decode | None
    validate: Callable[..., None]
    build: Callable[[Dialect, Any, Decided], EngineCall]
    reply: Callable[[Dialect, bytes, Any, Decided], Answer]
    #: None: the endpoint does not stream.
    stream: Callable[[Dialect, Any, Decided], Translator] | None = None
    #: Whether an engine that is sent no token limit generates until its context is full.
    open_ended: bool = False
    #: Decodes form fields, given as JSON with string values; None: accepts JSON only.
    forms: Decode | None = None
    #: JSON fields that may hold a file as base64 or a data URI: `messages[].content[].url`.
    media: tuple[str, ...] = ()
    #: How to store the images of a complete response; None: nothing to store, sent unchanged.
    keep: Callable[[Any], ImageDelivery] | None = None
    #: The model of requests that name none; "": they are refused, or `picks`.
    default_model: str = ""
    #: Whether a request without a model gets any model that is ready.
    picks: bool = False
    #: Whether the request may list fallback models.
    chains: bool = False
    #: Whether engines can count the prompt's tokens in advance.
    counts: bool = False
    #: The request field that is counted.
    prompt: str = "messages"
    #: Maximum size in bytes of an engine's complete response.
    largest: int = 64 << 20


def is_form(content_type: bytes) -> bool:
    """Whether a body is a multipart form."""
    return content_type[:19].lower() == b"multipart/form-data"


def _chat_reply(dialect: Dialect, body: bytes, request: Any, decided: Decided) -> Answer:
    answer = dialect.chat_reply(body, request, decided)
    return functions.answer(answer) if request.old_spelling else answer


def _chat_stream(dialect: Dialect, request: Any, decided: Decided) -> Translator:
    stream = dialect.chat_stream(request, decided)
    return functions.FunctionStream(stream) if request.old_spelling else stream


CHAT = Endpoint(
    name="chat",
    path="/v1/chat/completions",
    ability="chat",
    decode=chat.decode,
    validate=chat.validate,
    build=lambda dialect, request, decided: dialect.chat(request, decided),
    reply=_chat_reply,
    stream=_chat_stream,
    open_ended=True,
    chains=True,
    counts=True,
    media=("messages[].content[].image_url.url",),
)

COMPLETIONS = Endpoint(
    name="completions",
    path="/v1/completions",
    ability="completions",
    decode=completions.decode,
    validate=completions.validate,
    build=lambda dialect, request, decided: dialect.completion(request, decided),
    reply=lambda dialect, body, request, decided: dialect.completion_reply(body, request, decided),
    stream=lambda dialect, request, decided: dialect.completion_stream(request, decided),
    chains=True,
    counts=True,
    prompt="prompt",
)

#: All engines share everything except chats and completions.
EMBEDDINGS = Endpoint(
    name="embeddings",
    path="/v1/embeddings",
    ability="embeddings",
    decode=embeddings.decode,
    validate=embeddings.validate,
    build=embedding.call,
    reply=lambda _, body, request, decided: embedding.reply(body, request, decided),
    counts=True,
    prompt="input",
    largest=LARGE,
    default_model=embeddings.DEFAULT_MODEL,
)


def _keep(request: images.ImageRequest) -> ImageDelivery:
    return ImageDelivery(request.count, request.wants_url, request.wants_base64)


def _unread(body: bytes) -> Answer:
    """A response that the media process will parse."""
    return Answer(body, Usage(), "stop")


IMAGES = Endpoint(
    name="images",
    path=image.GENERATIONS,
    ability="images",
    decode=images.decode,
    validate=images.validate,
    build=lambda dialect, request, decided: image.generation(dialect, request, decided),
    reply=lambda _dialect, body, _request, _decided: _unread(body),
    stream=lambda dialect, request, decided: image.stream(dialect, request, decided),
    keep=_keep,
    picks=True,
    largest=LARGE,
)

IMAGE_EDITS = Endpoint(
    name="image_edits",
    path=image.EDITS,
    ability="image_edits",
    decode=images.decode_edit,
    forms=images.decode_form,
    validate=images.validate,
    build=lambda dialect, request, decided: image.edit(dialect, request, decided),
    reply=lambda _dialect, body, _request, _decided: _unread(body),
    stream=lambda dialect, request, decided: image.stream(dialect, request, decided),
    media=("image", "image[]", "mask"),
    keep=_keep,
    picks=True,
    largest=LARGE,
)

SPEECH = Endpoint(
    name="speech",
    path=synthesis.PATH,
    ability="speech",
    decode=speech.decode,
    validate=speech.validate,
    build=lambda _, request, decided: synthesis.call(request, decided),
    reply=lambda _, body, request, decided: synthesis.reply(body, request, decided),
    stream=lambda _, request, decided: synthesis.stream(request, decided),
    default_model=speech.DEFAULT_MODEL,
)

TRANSCRIPTIONS = Endpoint(
    name="transcriptions",
    path=transcribing.TRANSCRIPTIONS,
    ability="transcription",
    decode=None,
    forms=transcription.decode,
    validate=transcription.validate,
    build=lambda _, request, decided: transcribing.call(
        transcribing.TRANSCRIPTIONS, request, decided
    ),
    reply=lambda _, body, request, decided: transcribing.reply(body, request, decided),
    stream=lambda _, request, decided: transcribing.stream(request, decided),
    media=("file",),
    default_model=transcription.DEFAULT_MODEL,
)

TRANSLATIONS = Endpoint(
    name="translations",
    path=transcribing.TRANSLATIONS,
    ability="translation",
    decode=None,
    forms=transcription.decode_translation,
    validate=transcription.validate,
    build=lambda _, request, decided: transcribing.call(
        transcribing.TRANSLATIONS, request, decided
    ),
    reply=lambda _, body, request, decided: transcribing.reply(body, request, decided),
    media=("file",),
    default_model=transcription.DEFAULT_MODEL,
)


DETECT = Endpoint(
    name="detect",
    path=detecting.PATH,
    ability="detection",
    decode=detection.decode,
    forms=detection.decode_form,
    validate=detection.validate,
    build=lambda _, request, decided: detecting.call(request, decided),
    reply=lambda _dialect, body, _request, decided: detecting.reply(body, decided),
    media=("image",),
    default_model=detection.DEFAULT_MODEL,
)

INFERENCE = (
    CHAT,
    COMPLETIONS,
    EMBEDDINGS,
    IMAGES,
    IMAGE_EDITS,
    SPEECH,
    TRANSCRIPTIONS,
    TRANSLATIONS,
    DETECT,
)
