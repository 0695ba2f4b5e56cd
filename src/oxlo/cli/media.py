"""`oxlo media`: the media process."""

import asyncio
import os
from functools import partial

from oxlo.cli.ending import until_end
from oxlo.cli.failing import one_line_errors
from oxlo.cli.options import WithParent
from oxlo.settings import Settings

#: On a machine whose CPUs are all busy, those who answer come before those who decode.
_NICE = 10


def media(with_parent: WithParent = False) -> None:
    """Parse, fetch and check pictures and recordings for the gateways of this machine."""
    from oxlo.media import process
    from oxlo.telemetry import logs

    with one_line_errors():
        settings = Settings.read()
        logs.configure("media", settings)
        os.nice(_NICE)
        asyncio.run(until_end(partial(process.run, settings), with_parent=with_parent))
