"""The fields of a request to a Whisper engine."""

from oxlo.wire.transcription import TranscriptionRequest


class Params(TranscriptionRequest, kw_only=True):
    """The public request, and the plan's limit if the gateway sends one."""

    #: Sent as a file part of the form.
    file: str = ""
    max_audio_seconds: int | None = None
