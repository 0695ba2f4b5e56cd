"""`oxlo media`: the media process."""

import asyncio
import os
from typing import Annotated

import typer

from oxlo.cli import storing
from oxlo.cli.ending import on_end
from oxlo.settings import Settings

#: On a machine whose CPUs are all busy, those who answer come before those who decode.
_NICE = 10


def media(
    with_parent: Annotated[
        bool, typer.Option("--with-parent", help="Stop when standard input ends.")
    ] = False,
) -> None:
    """Parse, fetch and check pictures and recordings for the gateways of this machine."""
    from oxlo.telemetry import logs

    with storing.one_line_errors():
        settings = Settings.read()
        logs.configure("media", settings)
        os.nice(_NICE)
        asyncio.run(_run(settings, with_parent=with_parent))


async def _run(settings: Settings, *, with_parent: bool) -> None:
    from oxlo.media import process

    stop = asyncio.Event()
    on_end(stop.set, with_parent=with_parent)
    await process.run(settings, stop)
