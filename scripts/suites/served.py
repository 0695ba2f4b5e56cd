"""The tested platform: its ready models, and files for requests."""

import http.client
import json
import struct
import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

#: Preferred models, in order; otherwise any ready one. Only the shape of responses is checked.
PREFERRED = ("smollm2-135m", "minilm-l6", "tiny-scenes", "whisper-base", "kokoro-82m")
SAID = "The quick brown fox jumps over the lazy dog."
#: Side of the image in pixels.
SIDE = 64


@dataclass(frozen=True)
class Served:
    """A running platform: its base URL, which ends in /v1, and a key without limits."""

    base_url: str
    key: str

    @property
    def root(self) -> str:
        """URL without /v1."""
        return self.base_url.rstrip("/").removesuffix("/v1")

    def ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """Send a request and return the body. Raises SystemExit with the error if not 200."""
        url = urlsplit(self.root)
        connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=300)
        head = {"authorization": f"Bearer {self.key}", "content-type": "application/json"}
        try:
            connection.request(method, path, body, head)
            reply = connection.getresponse()
            said = reply.read()
        except OSError as error:
            raise SystemExit(f"Nothing answers at {self.root}: {error}.") from error
        finally:
            connection.close()
        if reply.status != http.client.OK:
            raise SystemExit(f"{method} {path}: {reply.status} {said.decode(errors='replace')}")
        return said

    @cached_property
    def models(self) -> dict[str, list[str]]:
        """Return ready models by ability, preferred ones first."""
        found: dict[str, list[str]] = {}
        listed = json.loads(self.ask("GET", "/v1/models"))["data"]
        for model in sorted(listed, key=_place):
            for ability in model["capabilities"] if model["status"] == "ready" else ():
                found.setdefault(ability, []).append(model["id"])
        return found

    def model(self, ability: str) -> str | None:
        """Choose a model with an ability; None if none is ready."""
        return next(iter(self.models.get(ability, ())), None)

    @cached_property
    def recording(self) -> bytes:
        """Return a spoken sentence as WAV from the platform, or half a second of silence."""
        speaker = self.model("speech")
        if speaker is None:
            return silence(8000)
        wanted = {"model": speaker, "input": SAID, "voice": "alloy", "response_format": "wav"}
        return self.ask("POST", "/v1/audio/speech", json.dumps(wanted).encode())


def _place(model: dict[str, Any]) -> int:
    return PREFERRED.index(model["id"]) if model["id"] in PREFERRED else len(PREFERRED)


def silence(samples: int) -> bytes:
    """Build a WAV file of silence at 16 kHz."""
    head = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 16000, 32000, 2, 16)
    body = b"WAVE" + head + struct.pack("<4sI", b"data", samples * 2) + bytes(samples * 2)
    return struct.pack("<4sI", b"RIFF", len(body)) + body


def picture() -> bytes:
    """Build a PNG of a red square on white with transparency, which is also used as mask."""
    rows = (b"\0" + b"".join(_pixel(x, y) for x in range(SIDE)) for y in range(SIDE))
    head = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 6, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(b"".join(rows))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks)


def _pixel(x: int, y: int) -> bytes:
    inside = all(SIDE // 4 <= place < SIDE * 3 // 4 for place in (x, y))
    return b"\xff\x00\x00\x00" if inside else b"\xff\xff\xff\xff"


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
