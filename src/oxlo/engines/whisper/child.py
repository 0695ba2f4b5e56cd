"""The child process of one Whisper engine: OpenAI's two endpoints around a model."""

from collections.abc import Iterator
from typing import BinaryIO

import msgspec
from faster_whisper import WhisperModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from oxlo.engines.audio.recording import Recording
from oxlo.engines.whisper import formats
from oxlo.engines.whisper.asked import Asked
from oxlo.engines.whisper.config import Config
from oxlo.engines.whisper.model import load
from oxlo.engines.whisper.transcript import Transcript, Wish
from oxlo.serving import forms, streams
from oxlo.serving.app import Engine
from oxlo.serving.process import main
from oxlo.serving.work import Job, Workers
from oxlo.wire import languages
from oxlo.wire.decode import refused
from oxlo.wire.transcription import check


class Endpoints:
    """What the two endpoints share: a model, and who listens with it."""

    def __init__(self, config: Config, model: WhisperModel, workers: Workers) -> None:
        self._config = config
        self._model = model
        self._workers = workers

    async def transcribe(self, request: Request) -> Response:
        """POST /v1/audio/transcriptions."""
        return await self._answer(request, "transcribe")

    async def translate(self, request: Request) -> Response:
        """POST /v1/audio/translations."""
        return await self._answer(request, "translate")

    async def _answer(self, request: Request, task: str) -> Response:
        form = await request.form(max_files=1)
        asked = _read(forms.fields(form, lists=("timestamp_granularities",)))
        call = Hearing(self._model, forms.file(form, "file").file, asked, self._wish(asked, task))
        if asked.stream:
            return await streams.reply(request, self._workers.stream(call.events), streams.EVENTS)
        return await self._workers.run(request, call.whole)

    def _wish(self, asked: Asked, task: str) -> Wish:
        return Wish(
            task=task,
            language=languages.code(asked.language or ""),
            prompt=asked.prompt,
            temperature=asked.temperature or 0.0,
            words="word" in (asked.timestamp_granularities or ()),
            vad=self._config.vad or asked.chunking_strategy is not None,
            beam_size=self._config.beam_size,
        )


def _read(fields: dict[str, str | list[str]]) -> Asked:
    """A call's fields. Raises BadRequest."""
    try:
        asked = msgspec.convert(fields, Asked, strict=False)
    except msgspec.ValidationError as error:
        raise refused(error, Asked) from None
    check(asked)
    return asked


class Hearing:
    """One call's work."""

    def __init__(self, model: WhisperModel, file: BinaryIO, asked: Asked, wish: Wish) -> None:
        self._model = model
        self._file = file
        self._asked = asked
        self._wish = wish

    def whole(self, job: Job) -> Response:
        """The reply, when all is heard."""
        with self._file:
            transcript = self._transcript()
            for _ in transcript.hear(job.step):
                pass
        body, media_type = formats.whole(transcript, self._asked)
        return Response(body, media_type=media_type)

    def events(self, job: Job) -> Iterator[bytes]:
        """The reply while it is heard."""
        with self._file:
            transcript = self._transcript()
            for segment in transcript.hear(job.step):
                yield formats.delta(segment)
        yield formats.done(transcript)

    def _transcript(self) -> Transcript:
        recording = Recording(self._file, self._asked.max_audio_seconds)
        return Transcript(self._model, recording, self._wish)


def load_engine(line: bytes) -> Engine:
    """The engine that the configuration describes. Raises CannotLoad."""
    config = msgspec.json.decode(line, type=Config)
    workers = Workers(config.slots)
    endpoints = Endpoints(config, load(config), workers)
    routes = [
        Route("/v1/audio/transcriptions", endpoints.transcribe, methods=["POST"]),
        Route("/v1/audio/translations", endpoints.translate, methods=["POST"]),
    ]
    return Engine(routes, workers, config.api_key, config.port, config.memory_mb)


if __name__ == "__main__":
    main(load_engine)
