"""The media process: one socket, and a thread pool for blocking work."""

import asyncio
import os

import structlog

from oxlo.asgi import unixserver
from oxlo.media import pictures
from oxlo.media.addresses import Policy
from oxlo.media.app import Media
from oxlo.media.fetch import Fetcher
from oxlo.media.image_store import ImageStore
from oxlo.media.inspect import Inspector
from oxlo.objects.links import Signer
from oxlo.objects.store import Objects
from oxlo.serving import memory
from oxlo.serving.work import Workers
from oxlo.settings import Settings

log = structlog.get_logger()


async def run(
    settings: Settings, stop: asyncio.Event, *, release_after: float = memory.INTERVAL
) -> None:
    """Serve until `stop`. Raises CannotKeep, or SocketInUse if another process already serves.

    Decoded pictures are large, and their memory stays with the process until it is released:
    `release_after` seconds after work, if the process is idle.
    """
    settings.prepare()
    store = ImageStore(
        Objects.open(settings.objects_location),
        Signer(settings.base_url, settings.signing_secret()),
        settings.objects_hours,
    )
    listener = unixserver.bind(settings.media_socket)
    fetcher = Fetcher(Policy(settings.media_allow), settings.media_fetch_seconds)
    inspector = Inspector(fetcher, settings.media_fetch_mb, settings.media_megapixels)
    pictures.ready()
    workers = Workers(max(4, os.cpu_count() or 1))
    releasing = asyncio.create_task(memory.watch_memory(workers, 0, release_after))
    try:
        log.info("media.ready", socket=str(settings.media_socket))
        await unixserver.serve(Media(workers, inspector, store).application(), listener, stop)
    finally:
        releasing.cancel()
        settings.media_socket.unlink(missing_ok=True)
    log.info("media.stopped")
