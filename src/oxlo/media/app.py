"""The HTTP application of the media process, which gateways call over its private socket."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from oxlo.media import bodies, forms
from oxlo.media.files import Files
from oxlo.media.image_store import ImageStore
from oxlo.media.inspect import Inspector, named
from oxlo.serving.app import Engine, application
from oxlo.serving.work import Cancelled, Job, Workers
from oxlo.wire.media import (
    FOLDER,
    JSON_FIELDS,
    KEEP,
    SPOOLED,
    File,
    ImageDelivery,
    Inspect,
    Inspected,
    Unpacked,
)

T = TypeVar("T")

#: Forms are read in pieces of this size; between them, disconnects are noticed.
PIECE = 1 << 18

_inspect = msgspec.json.Decoder(Inspect)
_delivery = msgspec.json.Decoder(ImageDelivery)


class Media:
    """What the handlers need."""

    def __init__(self, workers: Workers, inspector: Inspector, store: ImageStore) -> None:
        self._workers = workers
        self._inspector = inspector
        self._store = store

    def application(self) -> ASGIApp:
        """The ASGI application; errors have OpenAI's shape, as an engine's."""
        routes = [
            Route("/unpack", self._unpack, methods=["POST"]),
            Route("/inspect", self._inspect, methods=["POST"]),
            Route("/keep", self._keep, methods=["POST"]),
        ]
        return application(Engine(routes, self._workers))

    async def _unpack(self, request: Request) -> Response:
        """POST /unpack: split a form or large JSON body into fields and files."""
        body = await request.body()

        async def unpacked(files: Files) -> Unpacked:
            return await self._workers.run(
                request, lambda job: _unpacked(request, body, job, files)
            )

        return await _within(request, unpacked)

    async def _inspect(self, request: Request) -> Response:
        """POST /inspect: turn media into files that an engine accepts."""
        asked = _inspect.decode(await request.body())

        async def inspected(files: Files) -> Inspected:
            fetched = await _unless_gone(request, self._inspector.fetched(asked, files))
            return await self._workers.run(
                request, lambda job: self._examined(asked, fetched, job, files)
            )

        return await _within(request, inspected)

    async def _keep(self, request: Request) -> Response:
        """POST /keep: store an engine's images, and write the client's response."""
        body, delivery = await request.body(), _delivery.decode(request.headers[KEEP])
        stored = await self._workers.run(request, lambda job: self._store.keep(body, delivery, job))
        return Response(stored.framed())

    def _examined(
        self, asked: Inspect, fetched: list[File | None], job: Job, files: Files
    ) -> Inspected:
        made = []
        for medium, file in zip(asked.media, fetched, strict=True):
            job.step()
            found = file or named(medium, asked, files)
            made.append(self._inspector.examined(medium, found, files))
        return Inspected(tuple(made))


async def _within(request: Request, work: Callable[[Files], Awaitable[msgspec.Struct]]) -> Response:
    """Run `work` in the request's folder, and clean up if the gateway disconnects."""
    files = Files(Path(unquote(request.headers[FOLDER])))
    try:
        made = await work(files)
    except Cancelled:
        shutil.rmtree(files.folder, ignore_errors=True)
        raise
    return Response(msgspec.json.encode(made), media_type="application/json")


async def _unless_gone(request: Request, work: Coroutine[None, None, T]) -> T:
    """The result of `work`. Raises Cancelled if the gateway disconnects."""
    working, leaving = asyncio.create_task(work), asyncio.create_task(_until_gone(request))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise Cancelled
        return working.result()
    finally:
        working.cancel()
        leaving.cancel()


async def _until_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _unpacked(request: Request, body: bytes, job: Job, files: Files) -> Unpacked:
    spooled = unquote(request.headers.get(SPOOLED, ""))
    kind = request.headers.get("content-type", "")
    if kind.lower().startswith("multipart/"):
        return forms.unpack(kind, _pieces(spooled, body, job), files)
    fields = request.headers[JSON_FIELDS].split(",")
    return bodies.unpack(Path(spooled).read_bytes() if spooled else body, fields, files)


def _pieces(spooled: str, body: bytes, job: Job) -> Iterator[bytes]:
    if not spooled:
        yield body
        return
    with Path(spooled).open("rb") as file:
        while piece := file.read(PIECE):
            job.step()
            yield piece
