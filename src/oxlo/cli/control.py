"""`oxlo control`: the control process."""

import asyncio
import contextlib
import os
import signal
import sys
import threading
from typing import Annotated

import typer

from oxlo.cli import storing
from oxlo.settings import Settings


def control(
    with_parent: Annotated[
        bool, typer.Option("--with-parent", help="Stop when standard input ends.")
    ] = False,
) -> None:
    """Serve accounts, receipts and metrics to the gateways of this machine."""
    from oxlo.telemetry import logs

    with storing.one_line_errors():
        settings = Settings.read()
        logs.configure("control", settings)
        asyncio.run(_run(settings, with_parent=with_parent))


async def _run(settings: Settings, *, with_parent: bool) -> None:
    from oxlo.control import process

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if with_parent:
        _stop_at_end_of_input(loop, stop)
    await process.run(settings, stop)


def _stop_at_end_of_input(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Set `stop` when the parent has gone: its end of the pipe closes whatever killed it."""

    def wait() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        with contextlib.suppress(RuntimeError):  # the loop may have ended for another reason
            loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=wait, daemon=True, name="parent").start()
