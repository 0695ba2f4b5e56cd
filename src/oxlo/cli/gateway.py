"""`oxlo gateway`: one gateway process."""

from typing import Annotated

import msgspec
import typer


def gateway(
    name: Annotated[str, typer.Option(help="Its name: journals and sockets carry it.")] = "g1",
    with_parent: Annotated[
        bool, typer.Option("--with-parent", help="Stop when standard input ends.")
    ] = False,
    share_port: Annotated[
        bool, typer.Option("--share-port", help="Let other gateways listen on the same port.")
    ] = False,
) -> None:
    """Serve the API (needs `oxlo control` for keys, and replicas from `oxlo fleet`)."""
    from oxlo.gateway.process import run
    from oxlo.ledger.journal import JournalInUseError
    from oxlo.settings import Settings, SettingsError
    from oxlo.telemetry.logs import configure

    try:
        settings = Settings.read()
        settings.prepare()
        configure(f"gateway-{name}", settings)
        run(settings, name, with_parent=with_parent, share_port=share_port)
    except (SettingsError, msgspec.ValidationError, JournalInUseError, OSError) as mistake:
        typer.echo(f"oxlo gateway: {mistake}", err=True)
        raise typer.Exit(1) from None
