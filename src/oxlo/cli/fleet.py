"""`oxlo fleet`: the engines of this machine; `oxlo fleet plan`: what would fit on others."""

import asyncio
import os
import signal
import threading
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from oxlo.cli.plan import plan_command

if TYPE_CHECKING:
    from oxlo.fleet.local import LocalFleet

app = typer.Typer()
app.command(name="plan")(plan_command)


@app.callback(invoke_without_command=True)
def fleet(
    context: typer.Context,
    with_parent: Annotated[
        bool, typer.Option("--with-parent", help="End when stdin ends, so with the parent.")
    ] = False,
) -> None:
    """Start, warm, watch and restart the engines of the chosen models."""
    if context.invoked_subcommand is None:
        _serve(with_parent)


def _serve(with_parent: bool) -> None:
    from oxlo import catalogue
    from oxlo.errors import ModelNotFound
    from oxlo.fleet.local import LocalFleet
    from oxlo.fleet.starter import chosen
    from oxlo.settings import Settings, SettingsError
    from oxlo.telemetry import logs

    try:
        settings = Settings.read()
        known = catalogue.load(settings.catalogue_dir)
        models = chosen(settings, known)
    except (SettingsError, msgspec.ValidationError, ModelNotFound) as mistake:
        typer.echo(f"oxlo fleet: {mistake}", err=True)
        raise typer.Exit(1) from None
    logs.configure("fleet", settings)
    asyncio.run(_run(LocalFleet(known, settings, models), with_parent))


async def _run(fleet: "LocalFleet", with_parent: bool) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, fleet.stop)
    if with_parent:
        threading.Thread(target=_follow_parent, args=(loop, fleet), daemon=True).start()
    await fleet.run()


def _follow_parent(loop: asyncio.AbstractEventLoop, fleet: "LocalFleet") -> None:
    """Stop when the parent's end of our stdin is closed; a kill -9 closes it too."""
    # Not through sys.stdin: its lock would be held while the interpreter shuts down.
    while os.read(0, 65536):
        pass
    loop.call_soon_threadsafe(fleet.stop)
