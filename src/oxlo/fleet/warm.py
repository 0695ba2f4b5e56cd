"""Warm-up: real requests, so that the first client does not pay for initialisation."""

import io
import random
import statistics
import time
import wave
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from oxlo.engines.base import Launch
from oxlo.fleet.fetch import Content, fetch

#: Timeout of one request, seconds; the first may read the weights from disk.
_DEADLINE = 120.0
#: Sample rate of the test recording, Hz.
_RATE = 16_000
#: Maps random bytes to quiet 8-bit samples.
_QUIET = bytes(116 + value % 25 for value in range(256))
#: Repetitions of requests that take only milliseconds.
_REPEATS = 20
_CHAT = "/v1/chat/completions"
_SCHEMA = {
    "type": "object",
    "properties": {"ok": {"type": "boolean"}},
    "required": ["ok"],
    "additionalProperties": False,
}
#: A grey square, 64 by 64, as PNG.
_PICTURE = (
    "iVBORw0KGgoAAAANSUhEUgAAAEAAAABACAAAAACPAi4CAAAAKUlEQVR42u3MQREAAAwC"
    "IKMb3RD77SAA6VEEAoFAIBAIBAKBQCAQfA8G320AeXC6efoAAAAASUVORK5CYII="
)


class WarmUpFailed(Exception):
    """A warm-up request was refused or answered with an error."""


@dataclass(frozen=True, slots=True)
class Warmth:
    """Milliseconds of the first warm-up request, and the median of the others."""

    first_ms: float
    warm_ms: float


async def warm(launch: Launch, address: str) -> Warmth:
    """Send a request for each ability of the model.

    Raises WarmUpFailed; NoAnswer or Refused if the connection fails.
    """
    times = []
    for path, body in requests(launch):
        start = time.perf_counter()
        reply = await fetch(address, path, body=body, api_key=launch.api_key, deadline=_DEADLINE)
        times.append((time.perf_counter() - start) * 1000)
        if reply.status != 200:
            text = reply.body[:200].decode(errors="replace")
            raise WarmUpFailed(f"a warm-up request got status {reply.status}: {text}")
    return Warmth(times[0], statistics.median(times[1:] or times))


def requests(launch: Launch) -> Iterator[tuple[str, object]]:
    """Paths and bodies of a few short requests; the first twice, to measure it warm."""
    abilities = launch.abilities or frozenset({"chat"})
    all_requests = [
        request
        for ability, kinds in _WARM_UPS.items()
        if ability in abilities
        for request in kinds(launch)
    ]
    yield all_requests[0]
    if launch.kind == "upstream":
        return  # already warm elsewhere: one request verifies address, key and model name
    yield from all_requests


def _chats(launch: Launch) -> Iterator[tuple[str, object]]:
    plain = _chat(launch)
    yield _CHAT, plain
    yield _CHAT, plain | {"stream": True}


def _schemas(launch: Launch) -> Iterator[tuple[str, object]]:
    schema = {"name": "warm_up", "schema": _SCHEMA, "strict": True}
    form = {"type": "json_schema", "json_schema": schema}
    yield _CHAT, _chat(launch) | {"response_format": form}


def _completions(launch: Launch) -> Iterator[tuple[str, object]]:
    yield "/v1/completions", {"model": launch.engine_model, "prompt": "Hi", "max_tokens": 4}


def _embeddings(launch: Launch) -> Iterator[tuple[str, object]]:
    path, model = "/v1/embeddings", launch.engine_model
    # The first long text allocates memory for all later ones.
    yield path, {"model": model, "input": "Hello there. " * (launch.context_length // 8)}
    yield path, {"model": model, "input": ["Hello there.", "Hi."], "encoding_format": "base64"}
    # Requests are so short that even the interpreter's own warm-up is noticeable.
    for _ in range(_REPEATS):
        yield path, {"model": model, "input": "Hi."}


def _images(launch: Launch) -> Iterator[tuple[str, object]]:
    yield "/v1/images/generations", _drawing(launch)


def _edits(launch: Launch) -> Iterator[tuple[str, object]]:
    fields = {name: str(value) for name, value in _drawing(launch).items()}
    yield "/v1/images/edits", _form(fields, "image", "grey.png", b64decode(_PICTURE))


def _drawing(launch: Launch) -> dict[str, object]:
    body: dict[str, object] = {"model": launch.engine_model, "prompt": "A red circle.", "n": 1}
    # An OpenAI-compatible server may not know the number of steps.
    return body | ({} if launch.dialect == "openai" else {"num_inference_steps": 2})


def _pictures(launch: Launch) -> Iterator[tuple[str, object]]:
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{_PICTURE}"}}
    content = [{"type": "text", "text": "What is it?"}, picture]
    yield _CHAT, _chat(launch) | {"messages": [{"role": "user", "content": content}]}


def _transcriptions(launch: Launch) -> Iterator[tuple[str, object]]:
    yield "/v1/audio/transcriptions", _recording(launch)
    if launch.dialect != "openai":  # OpenAI's own older models do not stream
        yield "/v1/audio/transcriptions", _recording(launch, stream="true")


def _translations(launch: Launch) -> Iterator[tuple[str, object]]:
    yield "/v1/audio/translations", _recording(launch)


def _speech(launch: Launch) -> Iterator[tuple[str, object]]:
    body: dict[str, object] = {"model": launch.engine_model, "input": "Hello."}
    # Our engines have a default voice; OpenAI requires one.
    if launch.dialect == "openai":
        yield "/v1/audio/speech", body | {"voice": "alloy"}
        return
    yield "/v1/audio/speech", body
    yield "/v1/audio/speech", body | {"response_format": "wav", "stream_format": "sse"}


def _recording(launch: Launch, **fields: str) -> Content:
    """A second of quiet noise: in pure silence, models hallucinate long texts."""
    made = io.BytesIO()
    with wave.open(made, "wb") as out:
        out.setparams((1, 1, _RATE, _RATE, "NONE", ""))
        out.writeframes(random.Random(1).randbytes(_RATE).translate(_QUIET))  # noqa: S311
    named = {"model": launch.engine_model} | fields
    return _form(named, "file", "noise.wav", made.getvalue())


def _detections(launch: Launch) -> Iterator[tuple[str, object]]:
    fields = {"model": launch.engine_model}
    yield "/v1/detect", _form(fields, "image", "grey.png", b64decode(_PICTURE))


def _form(fields: Mapping[str, str], name: str, filename: str, file: bytes) -> Content:
    """A form with one file."""
    part = b'--oxlo\r\ncontent-disposition: form-data; name="%b"%b\r\n\r\n%b\r\n'
    parts = [part % (key.encode(), b"", value.encode()) for key, value in fields.items()]
    parts.append(part % (name.encode(), f'; filename="{filename}"'.encode(), file))
    return Content("multipart/form-data; boundary=oxlo", b"".join(parts) + b"--oxlo--\r\n")


def _chat(launch: Launch) -> dict[str, object]:
    # OpenAI's newer models reject max_tokens; llama.cpp and older vLLM only know that.
    limit = "max_completion_tokens" if launch.dialect == "openai" else "max_tokens"
    messages = [{"role": "user", "content": "Say hi."}]
    return {"model": launch.engine_model, "messages": messages, limit: 16}


#: Warm-up requests by ability.
_WARM_UPS: dict[str, Callable[[Launch], Iterator[tuple[str, object]]]] = {
    "chat": _chats,
    "json": _schemas,
    "vision": _pictures,
    "completions": _completions,
    "embeddings": _embeddings,
    "images": _images,
    "image_edits": _edits,
    "transcription": _transcriptions,
    "translation": _translations,
    "speech": _speech,
    "detection": _detections,
}
