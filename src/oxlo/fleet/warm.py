"""Warm-up: real requests, so that the first caller is not the one who waits."""

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

#: Seconds for one warm-up request; the first may have to page the weights in from a disk.
_DEADLINE = 120.0
#: Samples a second of the recording that listeners are warmed with.
_RATE = 16_000
#: Any byte as an 8-bit sample near the middle.
_QUIET = bytes(116 + value % 25 for value in range(256))
#: How often what takes milliseconds is asked.
_FLEETING = 20
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
    """Send each kind of request that the model serves.

    Raises WarmUpFailed, or NoAnswer or Refused from the exchange.
    """
    times = []
    for path, body in requests(launch):
        start = time.perf_counter()
        reply = await fetch(address, path, body=body, api_key=launch.api_key, deadline=_DEADLINE)
        times.append((time.perf_counter() - start) * 1000)
        if reply.status != 200:
            told = reply.body[:200].decode(errors="replace")
            raise WarmUpFailed(f"a warm-up request got status {reply.status}: {told}")
    return Warmth(times[0], statistics.median(times[1:] or times))


def requests(launch: Launch) -> Iterator[tuple[str, object]]:
    """Paths and bodies, few and short; the first one twice, so that its warm time is seen."""
    abilities = launch.abilities or frozenset({"chat"})
    wanted = [
        request
        for ability, kinds in _WARM_UPS.items()
        if ability in abilities
        for request in kinds(launch)
    ]
    yield wanted[0]
    if launch.kind == "upstream":
        return  # somebody else's engine, warm already: this only proves address, key and name
    yield from wanted


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
    # Memory for longer texts is taken when the first one comes.
    yield path, {"model": model, "input": "Hello there. " * (launch.context_length // 8)}
    yield path, {"model": model, "input": ["Hello there.", "Hi."], "encoding_format": "base64"}
    # A call takes so little that the interpreter's own warm-up is seen in it.
    for _ in range(_FLEETING):
        yield path, {"model": model, "input": "Hi."}


def _images(launch: Launch) -> Iterator[tuple[str, object]]:
    yield "/v1/images/generations", _drawing(launch)


def _edits(launch: Launch) -> Iterator[tuple[str, object]]:
    fields = {name: str(value) for name, value in _drawing(launch).items()}
    yield "/v1/images/edits", _form(fields, "image", "grey.png", b64decode(_PICTURE))


def _drawing(launch: Launch) -> dict[str, object]:
    body: dict[str, object] = {"model": launch.engine_model, "prompt": "A red circle.", "n": 1}
    # A server that speaks like OpenAI may know nothing of steps: then it takes its own number.
    return body | ({} if launch.dialect == "openai" else {"num_inference_steps": 2})


def _pictures(launch: Launch) -> Iterator[tuple[str, object]]:
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{_PICTURE}"}}
    said = [{"type": "text", "text": "What is it?"}, picture]
    yield _CHAT, _chat(launch) | {"messages": [{"role": "user", "content": said}]}


def _transcriptions(launch: Launch) -> Iterator[tuple[str, object]]:
    yield "/v1/audio/transcriptions", _recording(launch)
    if launch.dialect != "openai":  # OpenAI's own older models do not stream
        yield "/v1/audio/transcriptions", _recording(launch, stream="true")


def _translations(launch: Launch) -> Iterator[tuple[str, object]]:
    yield "/v1/audio/translations", _recording(launch)


def _speech(launch: Launch) -> Iterator[tuple[str, object]]:
    body: dict[str, object] = {"model": launch.engine_model, "input": "Hello."}
    # Ours have a voice that they begin with; OpenAI's own servers want one named.
    if launch.dialect == "openai":
        yield "/v1/audio/speech", body | {"voice": "alloy"}
        return
    yield "/v1/audio/speech", body
    yield "/v1/audio/speech", body | {"response_format": "wav", "stream_format": "sse"}


def _recording(launch: Launch, **fields: str) -> Content:
    """A second of quiet noise: in silence, models hear things, at length."""
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
    # OpenAI's newer models refuse max_tokens; llama.cpp and older vLLM know nothing else.
    limit = "max_completion_tokens" if launch.dialect == "openai" else "max_tokens"
    messages = [{"role": "user", "content": "Say hi."}]
    return {"model": launch.engine_model, "messages": messages, limit: 16}


#: What each ability is warmed with.
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
