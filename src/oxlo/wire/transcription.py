"""POST /v1/audio/transcriptions and /v1/audio/translations: what may be asked, and how."""

from typing import Literal

import msgspec

from oxlo.catalogue import Model
from oxlo.wire import languages
from oxlo.wire.decode import Decoder, invalid
from oxlo.wire.media import FILE, Medium
from oxlo.wire.ranges import check_ranges
from oxlo.wire.request import Whole

TextFormat = Literal["json", "text", "srt", "verbose_json", "vtt"]
Granularity = Literal["word", "segment"]
#: What a stream of events can stand for: timed formats are written when all is heard.
_STREAMED = (None, "json", "text")


class TranslationRequest(msgspec.Struct, Whole, kw_only=True):
    """A recording to be written down in English."""

    #: Where it is: `oxlo-file:N`.
    file: str
    #: As the docs have it, for clients that name none.
    model: str = "whisper-medium"
    #: Text that came before, or words as they should be spelt.
    prompt: str | None = None
    response_format: TextFormat | None = None
    temperature: float | None = None

    @property
    def text_bytes(self) -> int:
        """Nothing of it is capped in tokens: its length in seconds is."""
        return 0

    def media(self) -> tuple[Medium, ...]:
        """The recording."""
        return (Medium(source=self.file, kind="audio", param="file"),)


class TranscriptionRequest(TranslationRequest, kw_only=True):
    """A recording to be written down in the language that is spoken."""

    language: str | None = None
    #: A form that names it once, without brackets, says one text.
    timestamp_granularities: list[Granularity] | Granularity | None = None
    stream: bool | None = None
    #: "auto": what is no speech is left out before the model listens.
    chunking_strategy: Literal["auto"] | None = None

    @property
    def granularities(self) -> tuple[Granularity, ...]:
        """What is to be told with its times."""
        asked = self.timestamp_granularities
        if asked is None:
            return ()
        return (asked,) if isinstance(asked, str) else tuple(asked)

    @property
    def sse(self) -> bool:
        """Its pieces are events."""
        return True


_transcription: Decoder[TranscriptionRequest] = Decoder(TranscriptionRequest, form=True)
_translation: Decoder[TranslationRequest] = Decoder(TranslationRequest, form=True)


def decode(body: bytes) -> tuple[TranscriptionRequest, tuple[str, ...]]:
    """A valid request, whatever the model, and the names of unknown fields. Raises BadRequest."""
    request, unknown = _transcription.decode(body)
    _check_file(request)
    check(request)
    return request, unknown


def decode_translation(body: bytes) -> tuple[TranslationRequest, tuple[str, ...]]:
    """The same of a translation."""
    request, unknown = _translation.decode(body)
    _check_file(request)
    return request, unknown


def _check_file(request: TranslationRequest) -> None:
    if not request.file.startswith(FILE):
        raise invalid("file", "expected a file, got text.")


def check(request: TranscriptionRequest) -> None:
    """What holds whatever the model. Raises BadRequest."""
    if request.language and languages.code(request.language) is None:
        raise invalid("language", "expected an ISO 639-1 code, such as en or de.")
    if request.granularities and request.response_format != "verbose_json":
        raise invalid("timestamp_granularities", "they need response_format verbose_json.")
    if request.stream and request.response_format not in _STREAMED:
        raise invalid("response_format", "a stream's text is json or text.")


def validate(request: TranslationRequest, model: Model) -> None:
    """Check a request against its model. Raises BadRequest."""
    check_ranges(request, model)
