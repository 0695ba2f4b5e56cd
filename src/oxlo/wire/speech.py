"""POST /v1/audio/speech: decoding and validating requests."""

from typing import Final, Literal

import msgspec

from oxlo.catalogue import Model
from oxlo.catalogue.parameters import voice_names
from oxlo.wire.decode import Decoder, invalid
from oxlo.wire.ranges import check_ranges
from oxlo.wire.request import Whole

#: The model of requests that name none.
DEFAULT_MODEL: Final = "kokoro-82m"

AudioFormat = Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]

MEDIA_TYPES: dict[str, str] = {
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}


class VoiceId(msgspec.Struct):
    """A voice as an object, as newer SDKs send it."""

    id: str


class SpeechRequest(msgspec.Struct, Whole, kw_only=True):
    """A text-to-speech request."""

    input: str
    model: str = DEFAULT_MODEL
    voice: str | VoiceId | None = None
    response_format: AudioFormat | None = None
    speed: float | None = None
    #: How to speak; ignored by models without this ability.
    instructions: str | None = None
    stream_format: Literal["audio", "sse"] | None = None

    @property
    def stream(self) -> bool:
        """Always: audio is sent while it is synthesised."""
        return True

    @property
    def sse(self) -> bool:
        """Whether it is sent as events with base64."""
        return self.stream_format == "sse"

    @property
    def text_bytes(self) -> int:
        """Size of the text in bytes."""
        return len(self.input.encode())

    @property
    def voice_name(self) -> str | None:
        """The requested voice."""
        return self.voice.id if isinstance(self.voice, VoiceId) else self.voice


_ELSEWHERE = dict.fromkeys(
    ("text", "prompt", "messages", "content"), "The text to speak is called 'input' here."
)
_decoder: Decoder[SpeechRequest] = Decoder(SpeechRequest, elsewhere=_ELSEWHERE)


def decode(body: bytes) -> tuple[SpeechRequest, tuple[str, ...]]:
    """Decode a request, and name its unknown fields. Raises BadRequest."""
    request, unknown = _decoder.decode(body)
    if not request.input.strip():
        raise invalid("input", "a text may not be empty.")
    return request, unknown


def validate(request: SpeechRequest, model: Model) -> None:
    """Validate a request for a model. Raises BadRequest."""
    check_ranges(request, model)
    name = request.voice_name
    if name is not None and model.voices and name not in voice_names(model):
        raise invalid("voice", f"{model.id} speaks as {', '.join(sorted(voice_names(model)))}.")
