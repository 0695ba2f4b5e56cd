"""Commands to a running fleet over its private socket: one line of JSON in, lines of JSON out."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Protocol

import msgspec

from oxlo.fleet.registry import Replica


class CannotRestart(Exception):
    """Not all engines of a model were replaced; the message says why."""


class Order(msgspec.Struct, frozen=True):
    """Replace the engines of the model `restart`."""

    restart: str


class Progress(msgspec.Struct, frozen=True, omit_defaults=True):
    """Progress: a state change of a new engine, or how the order ended."""

    replica: str = ""
    state: str = ""
    reason: str = ""
    #: Why the order failed; or that it was carried out.
    error: str = ""
    done: bool = False


class Fleet(Protocol):
    """What executes orders."""

    async def restart(self, model: str, report: Callable[[Replica], None]) -> None:
        """Replace a model's engines. Raises CannotRestart."""


@contextlib.asynccontextmanager
async def taken(fleet: Fleet, path: Path) -> AsyncIterator[None]:
    """Accept orders on the socket `path`, which only this user can open."""

    async def carry_out(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(ConnectionError):
            await _carry_out(fleet, await reader.readline(), writer)
            await writer.drain()

    server = await asyncio.start_unix_server(carry_out, sock=_bound(path))
    try:
        yield
    finally:
        server.close()
        _remove(path)


def _bound(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    bound = socket.socket(socket.AF_UNIX)
    bound.bind(str(path))
    path.chmod(0o600)
    return bound


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


async def _carry_out(fleet: Fleet, line: bytes, writer: asyncio.StreamWriter) -> None:
    def send(progress: Progress) -> None:
        writer.write(msgspec.json.encode(progress) + b"\n")

    try:
        order = msgspec.json.decode(line, type=Order)
        await fleet.restart(order.restart, lambda r: send(Progress(r.id, str(r.state), r.reason)))
        send(Progress(done=True))
    except (msgspec.DecodeError, CannotRestart) as reason:
        send(Progress(error=str(reason)))


async def give(order: Order, path: Path) -> AsyncIterator[Progress]:
    """Send an order and yield its progress. Raises OSError if no fleet is running."""
    reader, writer = await asyncio.open_unix_connection(str(path))
    with contextlib.closing(writer):
        writer.write(msgspec.json.encode(order) + b"\n")
        while line := await reader.readline():
            progress = msgspec.json.decode(line, type=Progress)
            if not progress.done:
                yield progress
            if progress.done or progress.error:
                return
    yield Progress(error="the fleet ended before all engines were replaced")
