"""`oxlo gateway`: one gateway process."""

import re
from functools import partial
from typing import Annotated

import typer

from oxlo.cli.failures import CommandError, one_line_errors
from oxlo.cli.options import WithParent
from oxlo.cli.shutdown import on_shutdown

#: Names become parts of file names.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")


def gateway(
    name: Annotated[
        str, typer.Option(help="Name of this gateway, used in its journal and socket.")
    ] = "g1",
    with_parent: WithParent = False,
    share_port: Annotated[
        bool, typer.Option("--share-port", help="Let other gateways listen on the same port.")
    ] = False,
) -> None:
    """Serve the API; keys come from `oxlo control`, replicas from `oxlo fleet`."""
    from oxlo.gateway.process import run
    from oxlo.settings import Settings
    from oxlo.telemetry.logs import configure

    with one_line_errors():
        if not _NAME.fullmatch(name):
            raise CommandError(f"--name {name!r}: up to 32 letters, digits, - and _, such as g1")
        settings = Settings.read()
        settings.prepare()
        configure(f"gateway-{name}", settings)
        run(settings, name, partial(on_shutdown, with_parent=with_parent), share_port=share_port)
