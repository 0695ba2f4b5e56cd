"""A web server on a unix socket that only this user can open."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

_BACKLOG = 512


class SocketInUse(OSError):
    """Another process is serving on the socket."""


class _Server(uvicorn.Server):
    """uvicorn without signal handlers, because two servers share one process."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def bind(path: Path) -> socket.socket:
    """A listening socket at `path`, mode 0600; replaces the socket of a dead process.

    Raises SocketInUse if a process answers there.
    """
    if path.exists():
        _remove_dead(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    path.chmod(0o600)  # before it listens, so that no other user can connect
    listener.listen(_BACKLOG)
    listener.settimeout(0)
    return listener


async def serve(app: ASGIApp, listener: socket.socket, stop: asyncio.Event) -> None:
    """Serve until `stop`; running requests have two seconds to finish."""
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=2,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    server.should_exit = True
    await serving


def _remove_dead(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)
        else:
            raise SocketInUse(f"{path}: another process serves there")
