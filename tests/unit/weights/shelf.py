"""A file server that can cut connections and damage files, and wheels that pip finds offline."""

import hashlib
import json
import zipfile
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from oxlo.catalogue import Source, WeightsFile
from oxlo.weights import Hub

CONTENT = bytes(range(251)) * 4001
#: At which a repository on the shelf stands.
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Shelf(ThreadingHTTPServer):
    """Serves `files` with ranges; `cuts` and `damaged` say how the next replies go wrong."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Reply)
        self.files: dict[str, bytes] = {}
        self.etag: str | None = '"v1"'
        #: Bytes after which each coming reply is cut off.
        self.cuts: list[int] = []
        #: Coming replies that get one byte wrong.
        self.damaged = 0
        #: Statuses of the coming replies, instead of a file.
        self.refusals: list[int] = []
        #: Whether wheels are for pip alone, as behind a password that only pip knows.
        self.pip_only = False
        #: What callers have to show; "": nothing.
        self.token = ""
        #: Where a path leads to elsewhere, and what callers showed.
        self.moved: dict[str, str] = {}
        self.shown: list[str | None] = []
        #: Paths that we asked for ourselves; pip looks into archives, too.
        self.asked: list[str] = []
        #: (path, Range header, bytes sent) of each request.
        self.seen: list[tuple[str, str | None, int]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def hub(self) -> Hub:
        return Hub(self.url, self.token)

    def hold(self, name: str, files: dict[str, bytes], large: Sequence[str] = ()) -> None:
        """Hold a repository, with some of its files in large-file storage."""
        siblings = [_sibling(path, content, path in large) for path, content in files.items()]
        about = json.dumps({"id": name, "sha": COMMIT, "siblings": siblings}).encode()
        for revision in ("main", COMMIT):
            self.files[f"/api/models/{name}/revision/{revision}?blobs=true"] = about
        for path, content in files.items():
            self.files[f"/{name}/resolve/{COMMIT}/{path}"] = content


class _Reply(BaseHTTPRequestHandler):
    server: Shelf

    def do_GET(self) -> None:
        asked = self.headers["Range"]
        self.server.shown.append(self.headers["Authorization"])
        if self.headers["User-Agent"].startswith("oxlo/"):
            self.server.asked.append(self.path)
        if self.path in self.server.moved:
            self.send_response(302)
            self.send_header("Location", self.server.moved[self.path])
            self.send_header("Content-Length", "0")
            return self.end_headers()
        if self.server.token and self.headers["Authorization"] != f"Bearer {self.server.token}":
            return self._refuse(401)
        body = self.server.files.get(self.path)
        if self.server.pip_only and "pip/" not in self.headers["User-Agent"]:
            return self._refuse(401)
        if self.server.refusals or body is None:
            return self._refuse(self.server.refusals.pop(0) if self.server.refusals else 404)
        start = self._start(asked)
        if start >= len(body):
            return self._refuse(416, f"bytes */{len(body)}")
        return self._send(body, start, asked)

    def _start(self, asked: str | None) -> int:
        condition = self.headers["If-Range"]
        if not asked or (condition and condition != self.server.etag):
            return 0
        return int(asked.removeprefix("bytes=").rstrip("-"))

    def _refuse(self, status: int, content_range: str | None = None) -> None:
        self.server.seen.append((self.path, self.headers["Range"], 0))
        self.send_response(status)
        if content_range:
            self.send_header("Content-Range", content_range)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, body: bytes, start: int, asked: str | None) -> None:
        rest = bytearray(body[start:])
        if self.server.damaged:
            self.server.damaged -= 1
            rest[-1] ^= 0xFF
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(rest)))
        if self.path.endswith("/"):
            self.send_header("Content-Type", "text/html")
        if self.server.etag:
            self.send_header("ETag", self.server.etag)
        self.end_headers()
        sent = rest[: self.server.cuts.pop(0)] if self.server.cuts else rest
        self.server.seen.append((self.path, asked, len(sent)))
        self.wfile.write(sent)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


def _sibling(path: str, content: bytes, large: bool) -> dict[str, object]:
    git = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    told: dict[str, object] = {"rfilename": path, "size": len(content), "blobId": git}
    if large:
        digest = hashlib.sha256(content).hexdigest()
        told["lfs"] = {"sha256": digest, "size": len(content), "pointerSize": 130}
    return told


def weights_file(*sources: Source, content: bytes = CONTENT, name: str = "m.gguf") -> WeightsFile:
    """A catalogue entry for `content`."""
    digest = hashlib.sha256(content).hexdigest()
    return WeightsFile(name=name, sha256=digest, size=len(content), sources=sources)


def hub(path: str = "m.gguf") -> Source:
    """A hub source; `Shelf` serves it at HUB_PATH."""
    return Source(hub="org/repo", revision="abc", path=(path,))


HUB_PATH = "/org/repo/resolve/abc/m.gguf"


def make_wheel(folder: Path, name: str, members: dict[str, bytes], version: str = "1.0") -> Path:
    """A real wheel that holds `members`."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for member, content in members.items():
            wheel.writestr(member, content)
        wheel.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    return path
