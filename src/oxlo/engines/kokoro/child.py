"""Entry point of a Kokoro engine's process: the speech endpoint."""

import base64
import math
from collections.abc import Iterator

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from oxlo.engines.audio.encoder import FORMATS, Encoder
from oxlo.engines.kokoro.config import Config
from oxlo.engines.kokoro.phonemes import Phonemes
from oxlo.engines.kokoro.synthesizer import RATE, Synthesizer
from oxlo.serving import streams
from oxlo.serving.app import Engine
from oxlo.serving.process import main
from oxlo.serving.work import Job, Workers
from oxlo.wire.decode import Decoder
from oxlo.wire.speech import MEDIA_TYPES, SpeechRequest

#: Samples for each output token that usage reports.
_STEP = 600


class Params(SpeechRequest, kw_only=True):
    """The public request, and the plan's limit if the gateway sends one."""

    max_input_tokens: int | None = None


_decoder: Decoder[Params] = Decoder(Params)


class _Delta(msgspec.Struct, tag_field="type", tag="speech.audio.delta"):
    audio: str


class _Usage(msgspec.Struct):
    input_tokens: int
    output_tokens: int
    total_tokens: int


class _Done(msgspec.Struct, tag_field="type", tag="speech.audio.done"):
    usage: _Usage


class Speech:
    """The work of one request."""

    def __init__(self, synthesizer: Synthesizer, params: Params) -> None:
        self._synthesizer = synthesizer
        self._params = params
        self._form = params.response_format or "mp3"
        self._samples = 0

    @property
    def media_type(self) -> str:
        """Media type of the response."""
        return streams.EVENTS if self._params.sse else MEDIA_TYPES[self._form]

    def pieces(self, job: Job) -> Iterator[bytes]:
        """The response, piece by piece. Raises BadRequest before the first."""
        params = self._params
        phonemes = self._synthesizer.phonemes(
            params.input, params.voice_name, params.max_input_tokens
        )
        if not params.sse:
            yield from self._audio(phonemes, job)
            return
        for data in self._audio(phonemes, job):
            yield _event(_Delta(base64.b64encode(data).decode()))
        tokens = math.ceil(self._samples / _STEP)
        yield _event(_Done(_Usage(phonemes.tokens, tokens, phonemes.tokens + tokens)))

    def _audio(self, phonemes: Phonemes, job: Job) -> Iterator[bytes]:
        encoder = Encoder(FORMATS[self._form], RATE)
        params = self._params
        for samples in self._synthesizer.synthesize(
            phonemes, params.voice_name, params.speed or 1.0
        ):
            job.step()
            self._samples += len(samples)
            if data := encoder.add(samples):
                yield data
        yield encoder.finish()


class Endpoint:
    """The endpoint of one model."""

    def __init__(self, synthesizer: Synthesizer, workers: Workers) -> None:
        self._synthesizer = synthesizer
        self._workers = workers

    async def speak(self, request: Request) -> Response:
        """POST /v1/audio/speech."""
        params, _ = _decoder.decode(await request.body())
        speech = Speech(self._synthesizer, params)
        return await streams.reply(request, self._workers.stream(speech.pieces), speech.media_type)


def _event(value: object) -> bytes:
    return b"data: %b\n\n" % msgspec.json.encode(value)


def load(line: bytes) -> Engine:
    """Build the engine from its JSON configuration. Raises CannotLoad."""
    config = msgspec.json.decode(line, type=Config)
    workers = Workers(config.slots)
    endpoint = Endpoint(Synthesizer(config), workers)
    routes = [Route("/v1/audio/speech", endpoint.speak, methods=["POST"])]
    return Engine(routes, workers, config.api_key, config.port, config.memory_mb)


if __name__ == "__main__":
    main(load)
