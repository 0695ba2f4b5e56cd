"""From what a request names to files that were looked into."""

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

#: Media of one request.
MOST = 50
#: URLs of one request that are fetched at the same time.
AT_ONCE = 8
#: Kinds that llama.cpp cannot read.
_UNREAD = ("image/webp",)
#: Base64 of this many bytes has no padding in its middle.
PIECE = 3 << 16

_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


class Inspector:
    """Fetches and looks into media, within the operator's bounds."""

    def __init__(self, fetcher: Fetcher, megabytes: int, megapixels: int) -> None:
        """`megabytes`: what the URLs of one call may bring, 0: none is fetched."""
        self._fetcher = fetcher
        self._megabytes = megabytes
        self._megapixels = megapixels

    async def fetched(self, asked: Inspect, files: Files) -> list[File | None]:
        """The files of those media that are URLs. Raises BadRequest."""
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
            for task in tasks:  # one that cannot be had is enough to refuse the call
                task.cancel()

    def examined(self, medium: Medium, file: File, files: Files) -> File:
        """A file with its true type, as the engine needs it. Raises BadRequest."""
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
    """The file of a medium that is no URL. Raises BadRequest."""
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
    """The same picture as the text that engines take in JSON."""
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
