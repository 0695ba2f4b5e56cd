"""The inference endpoints: how each decodes its body and which words of a dialect it uses."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from oxlo.engines.dialect import Answer, Decided, Dialect, EngineCall, Translator
from oxlo.engines.dialects import embeddings as embedding
from oxlo.wire import chat, completions, embeddings

#: The request, and the names of fields that are not known. Raises BadRequest.
Decode = Callable[[bytes], tuple[Any, tuple[str, ...]]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One inference endpoint. A call to it costs one request."""

    name: str
    path: str
    #: The ability that a model needs.
    ability: str
    #: Reads JSON; None: it takes a form only.
    decode: Decode | None
    validate: Callable[..., None]
    build: Callable[[Dialect, Any, Decided], EngineCall]
    reply: Callable[[Dialect, bytes, Any, Decided], Answer]
    #: None: no reply of it is sent before it is whole.
    stream: Callable[[Dialect, Any, Decided], Translator] | None = None
    #: Whether an engine that is told no limit answers as long as its context has room.
    open_ended: bool = False
    #: Reads what a form said, as JSON whose values are texts; None: it takes JSON only.
    forms: Decode | None = None
    #: Fields of JSON that may hold a file, base64 or a data URI: `messages[].content[].url`.
    media: tuple[str, ...] = ()


def is_form(content_type: bytes) -> bool:
    """Whether a body is a form with files."""
    return content_type[:19].lower() == b"multipart/form-data"


CHAT = Endpoint(
    name="chat",
    path="/v1/chat/completions",
    ability="chat",
    decode=chat.decode,
    validate=chat.validate,
    build=lambda dialect, request, decided: dialect.chat(request, decided),
    reply=lambda dialect, body, request, decided: dialect.chat_reply(body, request, decided),
    stream=lambda dialect, request, decided: dialect.chat_stream(request, decided),
    open_ended=True,
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
)

#: Engines agree on everything but chats and completions.
EMBEDDINGS = Endpoint(
    name="embeddings",
    path="/v1/embeddings",
    ability="embeddings",
    decode=embeddings.decode,
    validate=embeddings.validate,
    build=embedding.call,
    reply=lambda _, body, request, decided: embedding.reply(body, request, decided),
)

INFERENCE = (CHAT, COMPLETIONS, EMBEDDINGS)
