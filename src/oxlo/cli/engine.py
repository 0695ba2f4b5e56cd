"""`oxlo engine`: one engine in the foreground, without a fleet."""

import signal
from typing import Annotated

import msgspec
import typer


def engine(
    model: Annotated[str, typer.Argument(help="Id or alias of a model.")],
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0: a free one.")] = 0,
) -> None:
    """Run one llama.cpp engine until Ctrl-C or SIGTERM; its address and key are printed."""
    from oxlo import catalogue
    from oxlo.engines.base import CannotLaunch
    from oxlo.engines.llamacpp_child import Config, serve
    from oxlo.errors import ModelNotFound
    from oxlo.fleet import local, machine
    from oxlo.settings import Settings, SettingsError

    try:
        settings = Settings.read()
        found = catalogue.load(settings.catalogue_dir).resolve(model)
        launch = local.launch(found, settings, machine.here())
    except (SettingsError, msgspec.ValidationError, ModelNotFound, CannotLaunch) as reason:
        typer.echo(f"oxlo engine: {reason}", err=True)
        raise typer.Exit(1) from None
    if not launch.argv:
        typer.echo(f"{found.id} runs elsewhere, at {launch.address}.")
        return
    config = msgspec.structs.replace(msgspec.json.decode(launch.config, type=Config), port=port)
    typer.echo(f"Key: {config.api_key}")
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # loading holds the interpreter's lock
    serve(config, signal.pause)
