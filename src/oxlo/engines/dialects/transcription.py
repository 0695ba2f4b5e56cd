"""Transcription and translation, the same in all dialects: send a form, forward the text."""

from collections.abc import Iterator

import msgspec

from oxlo.engines.dialect import JSON, Answer, Decided, EngineCall, Translator
from oxlo.engines.dialects.chunks import read
from oxlo.engines.dialects.shapes.typed import TokenUsage
from oxlo.engines.dialects.typed import TypedEvents, parsed
from oxlo.engines.parts import form
from oxlo.wire.transcription import TranscriptionRequest, TranslationRequest

TRANSCRIPTIONS = "/v1/audio/transcriptions"
TRANSLATIONS = "/v1/audio/translations"
TEXT = b"content-type: text/plain; charset=utf-8\r\n"


class _Reply(msgspec.Struct):
    text: str
    usage: TokenUsage | None = None
    error: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_reply = msgspec.json.Decoder(_Reply)


def call(path: str, request: TranslationRequest, decided: Decided) -> EngineCall:
    """Build the engine's request from an allow-list."""
    kind, parts = form(_fields(request, decided), [("file", decided.files[0])])
    return EngineCall(path, parts, kind)


def _fields(request: TranslationRequest, decided: Decided) -> Iterator[tuple[str, str]]:
    yield "model", decided.engine_model
    sent: dict[str, object] = {
        "prompt": request.prompt,
        "response_format": request.response_format,
        "temperature": request.temperature,
        "max_audio_seconds": decided.max_audio_seconds,
    }
    if isinstance(request, TranscriptionRequest):
        sent["language"] = request.language
        sent["chunking_strategy"] = request.chunking_strategy
        sent["stream"] = "true" if request.stream else None
        for granularity in request.granularities:
            yield "timestamp_granularities[]", granularity
    yield from ((name, str(value)) for name, value in sent.items() if value is not None)


def reply(body: bytes, request: TranslationRequest, decided: Decided) -> Answer:
    """The response in the requested format. Raises EngineFailed if its JSON is malformed."""
    if request.response_format not in (None, "json", "verbose_json"):
        return Answer(body, parsed(None), "stop", TEXT)
    return Answer(body, parsed(read(_reply, body).usage), "stop", JSON)


def stream(request: TranslationRequest, decided: Decided) -> Translator:
    """A translator for one stream."""
    return TypedEvents("transcript.text.done")
