"""Turning a request's media into inspected files."""

import asyncio
import base64
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from oxlo.media import pictures, sniff
from oxlo.media.encoded import decoded
from oxlo.media.fetch import Allowance, Fetcher
from oxlo.media.files import Files
from oxlo.wire.decode import invalid
from oxlo.wire.media import FILE, File, Inspect, Medium

#: Limit on media in one request.
MOST = 50
#: Concurrent fetches for one request.
AT_ONCE = 8
#: Image types that llama.cpp cannot read.
_UNREAD = ("image/webp",)
#: A multiple of 3, so that encoded blocks have no padding.
PIECE = 3 << 16

_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


class Inspector:
    """Fetches and inspects media, within the operator's limits."""

    def __init__(self, fetcher: Fetcher, megabytes: int, megapixels: int) -> None:
        """`megabytes` is the limit on fetched data for one request; 0: nothing is fetched."""
        self._fetcher = fetcher
        self._megabytes = megabytes
        self._megapixels = megapixels

    async def fetched(self, asked: Inspect, files: Files) -> list[File | None]:
        """Fetch all media that are URLs. Raises BadRequest."""
        _check_count(asked)
        allowance, lanes = Allowance(self._megabytes), asyncio.Semaphore(AT_ONCE)

        async def fetched(medium: Medium) -> File | None:
            if _URL.match(medium.source) is None:
                return None
            if not self._megabytes:
                raise invalid(medium.param, "nothing is fetched here; send it as a data URI.")
            async with lanes:
                return await self._fetcher.fetch(medium, files, allowance)

        tasks = [asyncio.create_task(fetched(medium)) for medium in asked.media]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:  # one failure refuses the request
                task.cancel()

    def examined(self, medium: Medium, file: File, files: Files) -> File:
        """Inspect a file, and convert it if the engine needs that. Raises BadRequest."""
        if medium.kind == "audio":
            return msgspec.structs.replace(file, type=_recording(file.path, medium.param))
        kind, width, height = pictures.examine(file.path, medium.param, self._megapixels)
        file = msgspec.structs.replace(file, type=kind, width=width, height=height)
        if not medium.data_uri:
            return file
        return _as_data_uri(_as_png(file, files) if kind in _UNREAD else file, files)


def _check_count(asked: Inspect) -> None:
    if len(asked.media) > MOST:
        raise invalid(asked.media[MOST].param, f"a request takes at most {MOST} files.")


def named(medium: Medium, asked: Inspect, files: Files) -> File:
    """The file of a medium that is not a URL. Raises BadRequest."""
    number = medium.source.removeprefix(FILE)
    if number != medium.source and number.isdecimal() and int(number) < len(asked.files):
        return asked.files[int(number)]
    content, kind = decoded(medium.source, medium.param)
    files.store(content, kind)
    return files.listed[-1]


def _recording(path: str, param: str) -> str:
    with Path(path).open("rb") as file:
        kind = sniff.recording(file.read(sniff.HEAD))
    if not kind:
        raise invalid(param, f"this is not a recording ({sniff.RECORDINGS}).")
    return kind


def _as_png(file: File, files: Files) -> File:
    with files.create() as out:
        pictures.write_png(file.path, out)
        size = out.tell()
    return msgspec.structs.replace(file, path=out.name, size=size, type="image/png")


def _as_data_uri(file: File, files: Files) -> File:
    """Write the image as the data URI that engines take in JSON."""
    with files.create() as out:
        out.write(f"data:{file.type};base64,".encode())
        for piece in _pieces(file.path):
            out.write(base64.b64encode(piece))
        size = out.tell()
    return msgspec.structs.replace(file, path=out.name, size=size)


def _pieces(path: str) -> Iterator[bytes]:
    with Path(path).open("rb") as file:
        while piece := file.read(PIECE):
            yield piece
