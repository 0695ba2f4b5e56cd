"""The entry point of an engine's child process.

It reads its configuration from stdin and reports its address on stdout, each as one line of JSON.
It exits when stdin closes, so no engine outlives its parent. It logs to stderr.
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
from oxlo.serving.buffering import BufferingProtocol
from oxlo.serving.channel import fail, say
from oxlo.serving.confine import no_connections
from oxlo.serving.fast_path import FastPathDispatcher, FastPathProtocol
from oxlo.serving.memory import release_memory, watch_memory

#: Seconds that running requests get at SIGTERM; the fleet has already drained the engine.
_GRACE = 3


class CannotLoad(Exception):
    """The engine cannot be loaded as configured; the message says how to fix it."""


def main(load: Callable[[bytes], Engine]) -> None:
    """Load the engine that the first line of stdin describes, announce it, and serve."""
    no_connections()
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    try:
        engine = load(sys.stdin.buffer.readline())
    except CannotLoad as reason:
        fail(str(reason))
    release_memory()
    threading.Thread(target=_die_with_parent, daemon=True).start()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(engine))
    sys.stdout.flush()
    os._exit(0)  # do not wait for native threads of the engine's libraries


async def _serve(engine: Engine) -> None:
    listener = socket.create_server(("127.0.0.1", engine.port), backlog=1024)
    # Inherited by accepted connections: small writes are sent without delay.
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
        timeout_keep_alive=3600,  # gateways pool connections
    )
    say({"event": "listening", "address": f"http://127.0.0.1:{port}"})
    server = uvicorn.Server(config)
    watch = asyncio.create_task(_stop_above_memory_limit(engine, server))
    await server.serve([listener])
    watch.cancel()


def _protocol(engine: Engine) -> type[asyncio.Protocol]:
    if engine.fast_path is None:
        return BufferingProtocol
    dispatcher = FastPathDispatcher(engine.fast_path, engine.workers, engine.api_key)
    dispatcher.warm_up()
    return cast(type[asyncio.Protocol], partial(FastPathProtocol, dispatcher))


async def _stop_above_memory_limit(engine: Engine, server: uvicorn.Server) -> None:
    used = await watch_memory(engine.workers, engine.memory_mb)
    limit = engine.memory_mb
    say({"event": "failed", "reason": f"started anew: it took {used} MB, over its {limit} MB"})
    server.should_exit = True


def _die_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)
