"""POST /v1/audio/transcriptions and /v1/audio/translations: decoding and validating requests."""

from typing import Final, Literal

import msgspec

from oxlo.catalogue import Model
from oxlo.wire import languages
from oxlo.wire.decode import Decoder, invalid
from oxlo.wire.media import FILE, Medium
from oxlo.wire.ranges import check_ranges
from oxlo.wire.request import Whole

TextFormat = Literal["json", "text", "srt", "verbose_json", "vtt"]
Granularity = Literal["word", "segment"]
#: Formats that can be streamed; those with times need the whole transcript.
_STREAMED = (None, "json", "text")
_ELSEWHERE = dict.fromkeys(
    ("audio", "recording", "audio_file", "input"), "The recording is called 'file' here."
)
_NEEDED = {
    "file": "It is the recording, sent as a file of the form. With curl: -F file=@speech.mp3"
}

#: The model of requests that name none.
DEFAULT_MODEL: Final = "whisper-medium"


class TranslationRequest(msgspec.Struct, Whole, kw_only=True):
    """A request for a translation to English."""

    #: `oxlo-file:N`.
    file: str
    model: str = DEFAULT_MODEL
    #: Preceding text, or spellings to use.
    prompt: str | None = None
    response_format: TextFormat | None = None
    temperature: float | None = None

    @property
    def text_bytes(self) -> int:
        """0: recordings are limited in seconds, not in tokens."""
        return 0

    def media(self) -> tuple[Medium, ...]:
        """The recording."""
        return (Medium(source=self.file, kind="audio", param="file"),)


class TranscriptionRequest(TranslationRequest, kw_only=True):
    """A request for a transcription."""

    language: str | None = None
    #: A string if a form has the field once, without brackets.
    timestamp_granularities: list[Granularity] | Granularity | None = None
    stream: bool | None = None
    #: "auto": skip silence by voice activity detection.
    chunking_strategy: Literal["auto"] | None = None

    @property
    def granularities(self) -> tuple[Granularity, ...]:
        """The requested kinds of timestamps."""
        asked = self.timestamp_granularities
        if asked is None:
            return ()
        return (asked,) if isinstance(asked, str) else tuple(asked)

    @property
    def sse(self) -> bool:
        """Streams are server-sent events."""
        return True


_transcription: Decoder[TranscriptionRequest] = Decoder(
    TranscriptionRequest, elsewhere=_ELSEWHERE, needed=_NEEDED, form=True
)
_translation: Decoder[TranslationRequest] = Decoder(
    TranslationRequest, elsewhere=_ELSEWHERE, needed=_NEEDED, form=True
)


def decode(body: bytes) -> tuple[TranscriptionRequest, tuple[str, ...]]:
    """Decode a request, and name its unknown fields. Raises BadRequest."""
    request, unknown = _transcription.decode(body)
    _check_file(request)
    check(request)
    return request, unknown


def decode_translation(body: bytes) -> tuple[TranslationRequest, tuple[str, ...]]:
    """As `decode`, for translations."""
    request, unknown = _translation.decode(body)
    _check_file(request)
    return request, unknown


def _check_file(request: TranslationRequest) -> None:
    if not request.file.startswith(FILE):
        raise invalid("file", "expected a file, got text. With curl: -F file=@speech.mp3")


def check(request: TranscriptionRequest) -> None:
    """Validate a request for any model. Raises BadRequest."""
    if request.language and languages.code(request.language) is None:
        raise invalid("language", "expected an ISO 639-1 code, such as en or de.")
    if request.granularities and request.response_format != "verbose_json":
        raise invalid("timestamp_granularities", "they need response_format verbose_json.")
    if request.stream and request.response_format not in _STREAMED:
        raise invalid("response_format", "a stream's text is json or text.")


def validate(request: TranslationRequest, model: Model) -> None:
    """Validate a request for a model. Raises BadRequest."""
    check_ranges(request, model)
