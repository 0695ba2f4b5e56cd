"""What a call asks of a Whisper engine."""

from oxlo.wire.transcription import TranscriptionRequest


class Asked(TranscriptionRequest, kw_only=True):
    """The fields of the public request, and the plan's cap when the gateway sends one."""

    #: It comes as a file of the form.
    file: str = ""
    max_audio_seconds: int | None = None
