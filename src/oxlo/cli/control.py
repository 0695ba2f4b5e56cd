"""`oxlo control`: the control process."""

import asyncio
from functools import partial

from oxlo.cli.failures import one_line_errors
from oxlo.cli.options import WithParent
from oxlo.cli.shutdown import run_until_shutdown
from oxlo.settings import Settings


def control(with_parent: WithParent = False) -> None:
    """Serve accounts, receipts and metrics to the gateways of this machine."""
    from oxlo.control import process
    from oxlo.telemetry import logs

    with one_line_errors():
        settings = Settings.read()
        logs.configure("control", settings)
        asyncio.run(run_until_shutdown(partial(process.run, settings), with_parent=with_parent))
