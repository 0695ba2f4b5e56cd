"""The child process around an engine.

It reads its configuration, one line of JSON, from stdin; says on stdout where it listens, in one
line of JSON; and dies when stdin ends, so that no engine outlives its parent, however that died.
Its log is on stderr.
"""

import asyncio
import logging
import os
import socket
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import cast

import uvicorn
import uvloop

from oxlo.serving.app import Engine, application
from oxlo.serving.brief import BriefProtocol, Desk
from oxlo.serving.channel import fail, say
from oxlo.serving.confine import no_connections
from oxlo.serving.gathering import GatheringProtocol
from oxlo.serving.memory import give_back, outgrown

#: Seconds that running calls get at SIGTERM: the fleet has let them finish before.
_GRACE = 3


class CannotLoad(Exception):
    """The engine cannot work as it is configured; the message tells the operator what to do."""


def main(load: Callable[[bytes], Engine]) -> None:
    """Load the engine that the first line of stdin describes, announce it, and serve."""
    no_connections()
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    try:
        engine = load(sys.stdin.buffer.readline())
    except CannotLoad as reason:
        fail(str(reason))
    give_back()
    threading.Thread(target=_die_with_parent, daemon=True).start()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(engine))
    sys.stdout.flush()
    os._exit(0)  # native threads of the engines' libraries may not delay the end


async def _serve(engine: Engine) -> None:
    listener = socket.create_server(("127.0.0.1", engine.port), backlog=1024)
    # Inherited by its connections: a reply's head and body are not held back for each other.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    port = listener.getsockname()[1]
    config = uvicorn.Config(
        application(engine),
        http=_protocol(engine),
        ws="none",
        proxy_headers=False,
        server_header=False,
        date_header=False,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=_GRACE,
        timeout_keep_alive=3600,  # gateways keep their connections
    )
    say({"event": "listening", "address": f"http://127.0.0.1:{port}"})
    server = uvicorn.Server(config)
    watch = asyncio.create_task(_end_when_outgrown(engine, server))
    await server.serve([listener])
    watch.cancel()


def _protocol(engine: Engine) -> type[asyncio.Protocol]:
    if engine.brief is None:
        return GatheringProtocol
    desk = Desk(engine.brief, engine.workers, engine.api_key)
    return cast(type[asyncio.Protocol], partial(BriefProtocol, desk))


async def _end_when_outgrown(engine: Engine, server: uvicorn.Server) -> None:
    taken = await outgrown(engine.workers, engine.memory_mb)
    limit = engine.memory_mb
    say({"event": "failed", "reason": f"started anew: it took {taken} MB, over its {limit} MB"})
    server.should_exit = True


def _die_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)
