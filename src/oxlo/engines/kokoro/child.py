"""The child process of one Kokoro engine: OpenAI's endpoint around a model."""

import base64
import math
from collections.abc import Iterator

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from oxlo.engines.audio.encoder import FORMATS, Encoder
from oxlo.engines.kokoro.config import Config
from oxlo.engines.kokoro.script import Script
from oxlo.engines.kokoro.speaker import RATE, Speaker
from oxlo.serving import streams
from oxlo.serving.app import Engine
from oxlo.serving.process import main
from oxlo.serving.work import Job, Workers
from oxlo.wire.decode import Decoder
from oxlo.wire.speech import MEDIA_TYPES, SpeechRequest

#: Samples that the model makes for one step of its own.
_STEP = 600


class Asked(SpeechRequest, kw_only=True):
    """The fields of the public request, and the plan's cap when the gateway sends one."""

    max_input_tokens: int | None = None


_decoder: Decoder[Asked] = Decoder(Asked)


class _Delta(msgspec.Struct, tag_field="type", tag="speech.audio.delta"):
    audio: str


class _Usage(msgspec.Struct):
    input_tokens: int
    output_tokens: int
    total_tokens: int


class _Done(msgspec.Struct, tag_field="type", tag="speech.audio.done"):
    usage: _Usage


class Speech:
    """One call's work."""

    def __init__(self, speaker: Speaker, asked: Asked) -> None:
        self._speaker = speaker
        self._asked = asked
        self._form = asked.response_format or "mp3"
        self._samples = 0

    @property
    def media_type(self) -> str:
        """Of the reply."""
        return streams.EVENTS if self._asked.sse else MEDIA_TYPES[self._form]

    def pieces(self, job: Job) -> Iterator[bytes]:
        """The reply, as it is spoken. Raises BadRequest before the first piece."""
        asked = self._asked
        script = self._speaker.script(asked.input, asked.voice_name, asked.max_input_tokens)
        if not asked.sse:
            yield from self._audio(script, job)
            return
        for data in self._audio(script, job):
            yield _event(_Delta(base64.b64encode(data).decode()))
        made = math.ceil(self._samples / _STEP)
        yield _event(_Done(_Usage(script.tokens, made, script.tokens + made)))

    def _audio(self, script: Script, job: Job) -> Iterator[bytes]:
        encoder = Encoder(FORMATS[self._form], RATE)
        asked = self._asked
        for samples in self._speaker.say(script, asked.voice_name, asked.speed or 1.0):
            job.step()
            self._samples += len(samples)
            if data := encoder.add(samples):
                yield data
        yield encoder.rest()


class Endpoint:
    """A model, and who speaks with it."""

    def __init__(self, speaker: Speaker, workers: Workers) -> None:
        self._speaker = speaker
        self._workers = workers

    async def speak(self, request: Request) -> Response:
        """POST /v1/audio/speech."""
        asked, _ = _decoder.decode(await request.body())
        speech = Speech(self._speaker, asked)
        return await streams.reply(request, self._workers.stream(speech.pieces), speech.media_type)


def _event(value: object) -> bytes:
    return b"data: %b\n\n" % msgspec.json.encode(value)


def load(line: bytes) -> Engine:
    """The engine that the configuration describes. Raises CannotLoad."""
    config = msgspec.json.decode(line, type=Config)
    workers = Workers(config.slots)
    endpoint = Endpoint(Speaker(config), workers)
    routes = [Route("/v1/audio/speech", endpoint.speak, methods=["POST"])]
    return Engine(routes, workers, config.api_key, config.port, config.memory_mb)


if __name__ == "__main__":
    main(load)
