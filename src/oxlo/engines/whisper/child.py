"""Entry point of a Whisper engine's process: the transcription and translation endpoints."""

from collections.abc import Iterator
from typing import BinaryIO

import msgspec
from faster_whisper import WhisperModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from oxlo.engines.audio.recording import Recording
from oxlo.engines.whisper import formats
from oxlo.engines.whisper.config import Config
from oxlo.engines.whisper.model import load
from oxlo.engines.whisper.params import Params
from oxlo.engines.whisper.transcript import Options, Transcript
from oxlo.serving import forms, streams
from oxlo.serving.app import Engine
from oxlo.serving.process import main
from oxlo.serving.work import Job, Workers
from oxlo.wire import languages
from oxlo.wire.decode import refused
from oxlo.wire.transcription import check


class Endpoints:
    """Both endpoints of one model."""

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
        params = _read(forms.fields(form, lists=("timestamp_granularities",)))
        file, options = forms.file(form, "file").file, self._options(params, task)
        work = Transcription(self._model, file, params, options)
        if params.stream:
            return await streams.reply(request, self._workers.stream(work.events), streams.EVENTS)
        return await self._workers.run(request, work.whole)

    def _options(self, params: Params, task: str) -> Options:
        return Options(
            task=task,
            language=languages.code(params.language or ""),
            prompt=params.prompt,
            temperature=params.temperature or 0.0,
            words="word" in (params.timestamp_granularities or ()),
            vad=self._config.vad or params.chunking_strategy is not None,
            beam_size=self._config.beam_size,
        )


def _read(fields: dict[str, str | list[str]]) -> Params:
    """Decode the form's fields. Raises BadRequest."""
    try:
        params = msgspec.convert(fields, Params, strict=False)
    except msgspec.ValidationError as error:
        raise refused(error, Params) from None
    check(params)
    return params


class Transcription:
    """The work of one request."""

    def __init__(
        self, model: WhisperModel, file: BinaryIO, params: Params, options: Options
    ) -> None:
        self._model = model
        self._file = file
        self._params = params
        self._options = options

    def whole(self, job: Job) -> Response:
        """The whole response."""
        with self._file:
            transcript = self._transcript()
            for _ in transcript.transcribe(job.step):
                pass
        body, media_type = formats.whole(transcript, self._params)
        return Response(body, media_type=media_type)

    def events(self, job: Job) -> Iterator[bytes]:
        """The response as events, one for each segment."""
        with self._file:
            transcript = self._transcript()
            for segment in transcript.transcribe(job.step):
                yield formats.delta(segment)
        yield formats.done(transcript)

    def _transcript(self) -> Transcript:
        recording = Recording(self._file, self._params.max_audio_seconds)
        return Transcript(self._model, recording, self._options)


def load_engine(line: bytes) -> Engine:
    """Build the engine from its JSON configuration. Raises CannotLoad."""
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
