"""Speech synthesis, the same in all dialects: build the request, forward the audio."""

from typing import Any

import msgspec

from oxlo.catalogue import Model
from oxlo.catalogue.parameters import parameters
from oxlo.engines.dialect import Answer, Decided, EngineCall, Translator
from oxlo.engines.dialects.raw import Bytes
from oxlo.engines.dialects.typed import TypedEvents
from oxlo.errors import EngineFailed
from oxlo.wire.speech import MEDIA_TYPES, SpeechRequest

PATH = "/v1/audio/speech"


class _Body(msgspec.Struct, omit_defaults=True):
    model: str
    input: str
    voice: str | None = None
    response_format: str | None = None
    speed: float | None = None
    instructions: str | None = None
    stream_format: str | None = None
    max_input_tokens: int | None = None


def call(request: SpeechRequest, decided: Decided) -> EngineCall:
    """Build the engine's request from an allow-list."""
    model = decided.model
    body = _Body(
        model=decided.engine_model,
        input=request.input,
        voice=_voice(request, model),
        response_format=_format(request, model),
        speed=_chosen(request.speed, model, "speed"),
        instructions=request.instructions,
        stream_format=request.stream_format,
        max_input_tokens=decided.max_input_tokens,
    )
    return EngineCall(PATH, msgspec.json.encode(body))


def stream(request: SpeechRequest, decided: Decided) -> Translator:
    """A translator for one response."""
    if request.sse:
        return TypedEvents("speech.audio.done")
    kind = MEDIA_TYPES[_format(request, decided.model)]
    return Bytes(f"content-type: {kind}\r\n".encode())


def reply(body: bytes, request: SpeechRequest, decided: Decided) -> Answer:
    """Always raises EngineFailed: speech is always streamed."""
    raise EngineFailed


def _voice(request: SpeechRequest, model: Model) -> str | None:
    """The engine's name of the requested or default voice."""
    name: str | None = _chosen(request.voice_name, model, "voice")
    return next((v.id for v in model.voices if name in v.aliases), name)


def _format(request: SpeechRequest, model: Model) -> str:
    return str(_chosen(request.response_format, model, "response_format"))


def _chosen(sent: Any, model: Model, name: str) -> Any:
    """The client's value, or the model's default."""
    return parameters(model)[name].default if sent is None else sent
