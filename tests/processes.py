"""Child processes that end with their test."""

import asyncio
import contextlib
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.waiting import PATIENCE

from oxlo.control import unixhttp
from oxlo.settings import Settings

Process = subprocess.Popen[Any]


@contextlib.contextmanager
def ending(process: Process, patience: float = PATIENCE) -> Iterator[Any]:
    """Yield the process and terminate it afterwards.

    A process that is still running after `patience` seconds is killed, and the test fails.
    """
    try:
        yield process
    finally:
        end(process, patience)


def end(process: Process, patience: float = PATIENCE) -> int:
    """Send SIGTERM, close stdin and return the exit status."""
    process.send_signal(signal.SIGTERM)
    if process.stdin:
        process.stdin.close()
    try:
        return process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise
    finally:
        for pipe in (process.stdout, process.stderr):
            if pipe:
                pipe.close()


async def control_ready(settings: Settings) -> None:
    """Wait until control answers on its public socket."""
    await told(settings.control_socket, "/healthz")


async def told(socket: Path, target: str) -> bytes:
    """What a process tells on its socket, as soon as it does."""
    async with asyncio.timeout(PATIENCE):
        while True:
            with contextlib.suppress(unixhttp.UnixHttpError):
                return await unixhttp.get(socket, target)
            await asyncio.sleep(0.01)
