"""`oxlo gateway`: one gateway process."""

from typing import Annotated

import typer

from oxlo.cli.failing import one_line_errors
from oxlo.cli.options import WithParent


def gateway(
    name: Annotated[str, typer.Option(help="Its name: journals and sockets carry it.")] = "g1",
    with_parent: WithParent = False,
    share_port: Annotated[
        bool, typer.Option("--share-port", help="Let other gateways listen on the same port.")
    ] = False,
) -> None:
    """Serve the API (needs `oxlo control` for keys, and replicas from `oxlo fleet`)."""
    from oxlo.gateway.process import run
    from oxlo.settings import Settings
    from oxlo.telemetry.logs import configure

    with one_line_errors():
        settings = Settings.read()
        settings.prepare()
        configure(f"gateway-{name}", settings)
        run(settings, name, with_parent=with_parent, share_port=share_port)
