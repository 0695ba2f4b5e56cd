"""One small, real call for each thing that a model can do, and what a good reply holds: pure."""

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
_FORM = {"type": "json_schema", "json_schema": {"name": "trial", "schema": _SCHEMA, "strict": True}}
_BOUNDARY = "oxlo-trial"


class Lacking(Exception):
    """A reply that is not what the ability promises."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A call, and how its reply is read."""

    ability: str
    path: str
    body: bytes
    #: What was seen, in a few words. Raises Lacking, LookupError, TypeError or ValueError.
    seen: Callable[[bytes], str]
    type: str = _JSON


def trials(model: Model) -> Iterator[Trial]:
    """The calls for a model's abilities, in the order of the table below."""
    for ability, make in _TRIALS.items():
        if ability in model.abilities:
            yield make(ability, model.id)


def _chat(ability: str, model: str) -> Trial:
    return _said(ability, model, lambda message: _words(message["content"]))


def _said(ability: str, model: str, seen: Callable[[dict[str, Any]], str], **more: object) -> Trial:
    """A chat; `seen` reads the answer's message."""
    messages = [{"role": "user", "content": "Say hi."}]
    body = {"model": model, "messages": messages, "max_tokens": 64} | more
    return Trial(ability, "/v1/chat/completions", msgspec.json.encode(body), _message(seen))


def _message(seen: Callable[[dict[str, Any]], str]) -> Callable[[bytes], str]:
    return lambda reply: seen(msgspec.json.decode(reply)["choices"][0]["message"])


def _completion(ability: str, model: str) -> Trial:
    body = {"model": model, "prompt": "One, two,", "max_tokens": 8}
    return _posted(ability, "/v1/completions", body, lambda d: _words(d["choices"][0]["text"]))


def _tools(ability: str, model: str) -> Trial:
    def called(message: dict[str, Any]) -> str:
        call = message["tool_calls"][0]["function"]
        msgspec.json.decode(call["arguments"])
        return _words(f"{call['name']}({call['arguments']})")

    messages = [{"role": "user", "content": "Note the number 7."}]
    return _said(ability, model, called, messages=messages, tools=[_TOOL], tool_choice="required")


def _json(ability: str, model: str) -> Trial:
    def fits(message: dict[str, Any]) -> str:
        if not isinstance(msgspec.json.decode(message["content"])["ok"], bool):
            raise Lacking(f"no JSON of the schema: {message['content']}")
        return _words(message["content"])

    return _said(ability, model, fits, response_format=_FORM)


def _logprobs(ability: str, model: str) -> Trial:
    body = {
        "model": model,
        "messages": [{"role": "user", "content": "Say hi."}],
        "max_tokens": 4,
        "logprobs": True,
    }
    return _posted(
        ability,
        "/v1/chat/completions",
        body,
        lambda d: f"{len(d['choices'][0]['logprobs']['content'])} tokens",
    )


def _reasoning(ability: str, model: str) -> Trial:
    def thought(message: dict[str, Any]) -> str:
        return _words(message["reasoning_content"])

    messages = [{"role": "user", "content": "Which is larger, 9.11 or 9.8?"}]
    return _said(ability, model, thought, messages=messages, max_tokens=256)


def _vision(ability: str, model: str) -> Trial:
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{_png()}"}}
    content = [{"type": "text", "text": "Which colour is this?"}, picture]
    messages = [{"role": "user", "content": content}]
    return _said(ability, model, lambda m: _words(m["content"]), messages=messages)


def _embeddings(ability: str, model: str) -> Trial:
    def numbers(reply: dict[str, Any]) -> str:
        return f"{len(reply['data'][0]['embedding'])} numbers"

    return _posted(ability, "/v1/embeddings", {"model": model, "input": "Hi."}, numbers)


def _image(ability: str, model: str) -> Trial:
    body = {"model": model, "prompt": "A red circle.", "response_format": "b64_json"}
    return _posted(ability, "/v1/images/generations", body, _picture)


def _edit(ability: str, model: str) -> Trial:
    body = {
        "model": model,
        "prompt": "A red circle.",
        "image": f"data:image/png;base64,{_png()}",
        "response_format": "b64_json",
    }
    return _posted(ability, "/v1/images/edits", body, _picture)


def _picture(reply: dict[str, Any]) -> str:
    content = base64.b64decode(reply["data"][0]["b64_json"])
    if not content.startswith((b"\x89PNG", b"\xff\xd8", b"RIFF")):
        raise Lacking("no picture")
    return f"a picture of {len(content):,} bytes"


def _transcription(ability: str, model: str) -> Trial:
    return _heard(ability, "/v1/audio/transcriptions", model)


def _translation(ability: str, model: str) -> Trial:
    return _heard(ability, "/v1/audio/translations", model)


def _heard(ability: str, path: str, model: str) -> Trial:
    def text(reply: bytes) -> str:
        return _words(msgspec.json.decode(reply)["text"]) or "nothing, as it should"

    head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="'
    body = f'{head}model"\r\n\r\n{model}\r\n'.encode()
    body += f'{head}file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n'.encode()
    body += _wav() + f"\r\n--{_BOUNDARY}--\r\n".encode()
    return Trial(ability, path, body, text, f"multipart/form-data; boundary={_BOUNDARY}")


def _speech(ability: str, model: str) -> Trial:
    def sound(reply: bytes) -> str:
        if not reply.startswith(b"RIFF"):
            raise Lacking("no WAV file")
        return f"{len(reply):,} bytes of sound"

    body = {"model": model, "input": "Hello.", "response_format": "wav"}
    return Trial(ability, "/v1/audio/speech", msgspec.json.encode(body), sound)


def _detection(ability: str, model: str) -> Trial:
    def found(reply: dict[str, Any]) -> str:
        return f"{len(reply['detections'])} objects"

    return _posted(ability, "/v1/detect", {"model": model, "image": _png()}, found)


def _posted(
    ability: str, path: str, body: Mapping[str, object], seen: Callable[[dict[str, Any]], str]
) -> Trial:
    return Trial(ability, path, msgspec.json.encode(body), lambda r: seen(msgspec.json.decode(r)))


def _words(text: str) -> str:
    """The beginning of a text, in one line."""
    words = " ".join(text.split())
    return words if len(words) <= 40 else f"{words[:39]}…"


def _png(side: int = 64) -> str:
    """A red square, as base64."""
    rows = (b"\0" + b"\xff\0\0" * side) * side
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    pieces = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    whole = b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in pieces)
    return base64.b64encode(whole).decode()


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _wav(seconds: int = 1, rate: int = 16_000) -> bytes:
    """Silence."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setparams((1, 2, rate, 0, "NONE", ""))
        sound.writeframes(bytes(2 * rate * seconds))
    return file.getvalue()


_TRIALS: dict[str, Callable[[str, str], Trial]] = {
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
