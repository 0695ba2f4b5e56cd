"""Downloading one file over HTTP, with resume."""

import contextlib
import http.client
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from oxlo.weights.cache import CHUNK, sha256
from oxlo.weights.errors import SourceFailed, WrongHash
from oxlo.weights.hub import PUBLIC, Hub
from oxlo.weights.progress import Progress

#: Give up after this many attempts in a row without progress.
_FRUITLESS = 4
_TIMEOUT = 30.0
_TRY_LATER = (408, 425, 429, 500, 502, 503, 504)


class _Unreachable(Exception):
    """A network error, which is worth a retry."""


@contextlib.contextmanager
def _network(host: str) -> Iterator[None]:
    try:
        yield
    except urllib.error.HTTPError:
        raise
    except (OSError, http.client.HTTPException) as error:
        raise _Unreachable(f"{host}: {getattr(error, 'reason', None) or error!r}") from error


class Download:
    """One URL to one file; `.part` has the partial download, `.etag` its version."""

    def __init__(self, url: str, target: Path, progress: Progress, hub: Hub = PUBLIC) -> None:
        self._url = url
        self._hub = hub
        self._host = urlsplit(url).netloc
        self._target = target
        self._progress = progress
        self._part = target.with_name(f"{target.name}.part")
        self._etag = target.with_name(f"{target.name}.etag")
        # Created once, because reading the system's certificates takes tens of milliseconds.
        self._tls = ssl.create_default_context()

    def run(self, pause: Callable[[float], object] = time.sleep) -> Path:
        """Download what is missing. Raises SourceFailed if the server fails."""
        if self._target.exists():
            self._progress.advance(self._target.stat().st_size)
            return self._target
        self._progress.advance(self._have())
        fruitless = 0
        while True:
            before = self._have()
            failure = self._attempt()
            if failure is None:
                return self._part.replace(self._target)
            fruitless = 0 if self._have() > before else fruitless + 1
            if fruitless >= _FRUITLESS:
                raise SourceFailed(failure)
            if fruitless:
                pause(min(8.0, 0.25 * 2**fruitless))

    def _have(self) -> int:
        return self._part.stat().st_size if self._part.exists() else 0

    def _attempt(self) -> str | None:
        """One request; None if the file is then complete, or else why not. Raises SourceFailed."""
        try:
            with _network(self._host):
                reply = self._open()
            with reply:
                return self._receive(reply)
        except urllib.error.HTTPError as error:
            error.close()
            return self._refused(error)
        except _Unreachable as error:
            return str(error)

    def _open(self) -> Any:
        headers = {}
        if have := self._have():
            headers["Range"] = f"bytes={have}-"
            with contextlib.suppress(FileNotFoundError):
                headers["If-Range"] = self._etag.read_text()
        request = self._hub.request(self._url, headers)
        return urllib.request.urlopen(request, timeout=_TIMEOUT, context=self._tls)  # noqa: S310

    def _receive(self, reply: Any) -> str | None:
        if reply.status != http.client.PARTIAL_CONTENT:
            self._forget()  # a full response: the first one, or the file has changed
        etag = reply.headers.get("ETag", "")
        if etag.startswith('"'):  # If-Range requires a strong one
            self._etag.write_text(etag)
        length = reply.headers.get("Content-Length")
        expected = self._have() + int(length) if length else None
        with self._part.open("ab") as part:
            while chunk := self._read(reply):
                part.write(chunk)
                self._progress.advance(len(chunk))
        if expected is not None and self._have() < expected:
            return f"the connection was cut at {self._have()} of {expected} bytes"
        return None

    def _read(self, reply: Any) -> bytes:
        with _network(self._host):
            return bytes(reply.read1(CHUNK))  # read() would lose data before a disconnect

    def _refused(self, error: urllib.error.HTTPError) -> str | None:
        reason = f"{self._host} answered {error.code} for {urlsplit(self._url).path}"
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and self._have():
            if error.headers.get("Content-Range", "").endswith(f"/{self._have()}"):
                return None  # complete, but not renamed yet
            self._forget()
        elif error.code not in _TRY_LATER:
            raise SourceFailed(reason)
        return reason

    def _forget(self) -> None:
        self._progress.advance(-self._have())
        self._part.unlink(missing_ok=True)
        self._etag.unlink(missing_ok=True)


def fetch_verified(url: str, target: Path, digest: str | None, progress: Progress) -> Path:
    """Download to `target`, and verify its sha256 if known.

    Raises SourceFailed; WrongHash if it is another file.
    """
    path = Download(url, target, progress).run()
    found = sha256(path) if digest else None
    if digest and found != digest:
        raise WrongHash(path.name, urlsplit(url).netloc, digest, str(found))
    return path
