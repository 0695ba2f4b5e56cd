"""`oxlo media`: the media process."""

import asyncio
import os
from functools import partial

from oxlo.cli.failures import one_line_errors
from oxlo.cli.options import WithParent
from oxlo.cli.shutdown import run_until_shutdown
from oxlo.settings import Settings

#: If all CPUs are busy, answering requests has priority over decoding.
_NICE = 10


def media(with_parent: WithParent = False) -> None:
    """Parse, fetch and check pictures and recordings for the gateways of this machine."""
    from oxlo.media import process
    from oxlo.telemetry import logs

    with one_line_errors():
        settings = Settings.read()
        logs.configure("media", settings)
        os.nice(_NICE)
        asyncio.run(run_until_shutdown(partial(process.run, settings), with_parent=with_parent))
