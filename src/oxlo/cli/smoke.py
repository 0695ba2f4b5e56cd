"""Smoke tests: a small request for each ability, and the check of its response. No I/O."""

import base64
import io
import struct
import wave
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from oxlo.catalogue import Model

_JSON = "application/json"
_TOOL = {
    "type": "function",
    "function": {
        "name": "note",
        "description": "Notes a number.",
        "parameters": {
            "type": "object",
            "properties": {"number": {"type": "integer", "minimum": 0, "maximum": 99}},
            "required": ["number"],
        },
    },
}
_SCHEMA = {
    "type": "object",
    "properties": {"ok": {"type": "boolean"}},
    "required": ["ok"],
    "additionalProperties": False,
}
_RESPONSE_FORMAT = {
    "type": "json_schema",
    "json_schema": {"name": "trial", "schema": _SCHEMA, "strict": True},
}
_BOUNDARY = "oxlo-trial"


class UnexpectedReply(Exception):
    """The response does not fulfil what the ability promises."""


@dataclass(frozen=True, slots=True)
class SmokeTest:
    """A request, and the check of its response."""

    ability: str
    path: str
    body: bytes
    #: Summarises the response. Raises UnexpectedReply, LookupError, TypeError or ValueError.
    check: Callable[[bytes], str]
    type: str = _JSON


def smoke_tests(model: Model) -> Iterator[SmokeTest]:
    """The tests of a model's abilities, in the order of the table below."""
    for ability, make in _SMOKE_TESTS.items():
        if ability in model.abilities:
            yield make(ability, model.id)


def _chat(ability: str, model: str) -> SmokeTest:
    return _chat_test(ability, model, lambda message: _shorten(message["content"]))


def _chat_test(
    ability: str, model: str, check: Callable[[dict[str, Any]], str], **more: object
) -> SmokeTest:
    """A chat request; `check` gets the response's message."""
    messages = [{"role": "user", "content": "Say hi."}]
    body = {"model": model, "messages": messages, "max_tokens": 64} | more
    return SmokeTest(ability, "/v1/chat/completions", msgspec.json.encode(body), _message(check))


def _message(check: Callable[[dict[str, Any]], str]) -> Callable[[bytes], str]:
    return lambda reply: check(msgspec.json.decode(reply)["choices"][0]["message"])


def _completion(ability: str, model: str) -> SmokeTest:
    body = {"model": model, "prompt": "One, two,", "max_tokens": 8}
    return _json_test(ability, "/v1/completions", body, lambda d: _shorten(d["choices"][0]["text"]))


def _tools(ability: str, model: str) -> SmokeTest:
    def called(message: dict[str, Any]) -> str:
        call = message["tool_calls"][0]["function"]
        msgspec.json.decode(call["arguments"])
        return _shorten(f"{call['name']}({call['arguments']})")

    messages = [{"role": "user", "content": "Note the number 7."}]
    return _chat_test(
        ability, model, called, messages=messages, tools=[_TOOL], tool_choice="required"
    )


def _json(ability: str, model: str) -> SmokeTest:
    def fits(message: dict[str, Any]) -> str:
        if not isinstance(msgspec.json.decode(message["content"])["ok"], bool):
            raise UnexpectedReply(f"no JSON of the schema: {message['content']}")
        return _shorten(message["content"])

    return _chat_test(ability, model, fits, response_format=_RESPONSE_FORMAT)


def _logprobs(ability: str, model: str) -> SmokeTest:
    body = {
        "model": model,
        "messages": [{"role": "user", "content": "Say hi."}],
        "max_tokens": 4,
        "logprobs": True,
    }
    return _json_test(
        ability,
        "/v1/chat/completions",
        body,
        lambda d: f"{len(d['choices'][0]['logprobs']['content'])} tokens",
    )


def _reasoning(ability: str, model: str) -> SmokeTest:
    def thought(message: dict[str, Any]) -> str:
        return _shorten(message["reasoning_content"])

    messages = [{"role": "user", "content": "Which is larger, 9.11 or 9.8?"}]
    return _chat_test(ability, model, thought, messages=messages, max_tokens=256)


def _vision(ability: str, model: str) -> SmokeTest:
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{_png()}"}}
    content = [{"type": "text", "text": "Which colour is this?"}, picture]
    messages = [{"role": "user", "content": content}]
    return _chat_test(ability, model, lambda m: _shorten(m["content"]), messages=messages)


def _embeddings(ability: str, model: str) -> SmokeTest:
    def numbers(reply: dict[str, Any]) -> str:
        return f"{len(reply['data'][0]['embedding'])} numbers"

    return _json_test(ability, "/v1/embeddings", {"model": model, "input": "Hi."}, numbers)


def _image(ability: str, model: str) -> SmokeTest:
    body = {"model": model, "prompt": "A red circle.", "response_format": "b64_json"}
    return _json_test(ability, "/v1/images/generations", body, _picture)


def _edit(ability: str, model: str) -> SmokeTest:
    body = {
        "model": model,
        "prompt": "A red circle.",
        "image": f"data:image/png;base64,{_png()}",
        "response_format": "b64_json",
    }
    return _json_test(ability, "/v1/images/edits", body, _picture)


def _picture(reply: dict[str, Any]) -> str:
    content = base64.b64decode(reply["data"][0]["b64_json"])
    if not content.startswith((b"\x89PNG", b"\xff\xd8", b"RIFF")):
        raise UnexpectedReply("no picture")
    return f"a picture of {len(content):,} bytes"


def _transcription(ability: str, model: str) -> SmokeTest:
    return _upload_test(ability, "/v1/audio/transcriptions", model)


def _translation(ability: str, model: str) -> SmokeTest:
    return _upload_test(ability, "/v1/audio/translations", model)


def _upload_test(ability: str, path: str, model: str) -> SmokeTest:
    def text(reply: bytes) -> str:
        return _shorten(msgspec.json.decode(reply)["text"]) or "nothing, as it should"

    head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="'
    body = f'{head}model"\r\n\r\n{model}\r\n'.encode()
    body += f'{head}file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n'.encode()
    body += _wav() + f"\r\n--{_BOUNDARY}--\r\n".encode()
    return SmokeTest(ability, path, body, text, f"multipart/form-data; boundary={_BOUNDARY}")


def _speech(ability: str, model: str) -> SmokeTest:
    def sound(reply: bytes) -> str:
        if not reply.startswith(b"RIFF"):
            raise UnexpectedReply("no WAV file")
        return f"{len(reply):,} bytes of sound"

    body = {"model": model, "input": "Hello.", "response_format": "wav"}
    return SmokeTest(ability, "/v1/audio/speech", msgspec.json.encode(body), sound)


def _detection(ability: str, model: str) -> SmokeTest:
    def found(reply: dict[str, Any]) -> str:
        return f"{len(reply['detections'])} objects"

    return _json_test(ability, "/v1/detect", {"model": model, "image": _png()}, found)


def _json_test(
    ability: str, path: str, body: Mapping[str, object], check: Callable[[dict[str, Any]], str]
) -> SmokeTest:
    return SmokeTest(
        ability, path, msgspec.json.encode(body), lambda r: check(msgspec.json.decode(r))
    )


def _shorten(text: str) -> str:
    """The beginning of a text, in one line."""
    words = " ".join(text.split())
    return words if len(words) <= 40 else f"{words[:39]}…"


def _png(side: int = 64) -> str:
    """A red square, as a base64 PNG."""
    rows = (b"\0" + b"\xff\0\0" * side) * side
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    pieces = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    whole = b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in pieces)
    return base64.b64encode(whole).decode()


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _wav(seconds: int = 1, rate: int = 16_000) -> bytes:
    """A WAV file of silence."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setparams((1, 2, rate, 0, "NONE", ""))
        sound.writeframes(bytes(2 * rate * seconds))
    return file.getvalue()


_SMOKE_TESTS: dict[str, Callable[[str, str], SmokeTest]] = {
    "chat": _chat,
    "completions": _completion,
    "tools": _tools,
    "json": _json,
    "logprobs": _logprobs,
    "reasoning": _reasoning,
    "vision": _vision,
    "embeddings": _embeddings,
    "images": _image,
    "image_edits": _edit,
    "transcription": _transcription,
    "translation": _translation,
    "speech": _speech,
    "detection": _detection,
}
