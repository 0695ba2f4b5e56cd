"""`oxlo fleet`: the engines of this machine; `oxlo fleet plan`: planning other machines."""

import asyncio
from typing import TYPE_CHECKING

import typer

from oxlo.cli.failures import CommandError, one_line_errors
from oxlo.cli.fleet_status import status_command
from oxlo.cli.options import ModelName, WithParent
from oxlo.cli.plan import plan_command
from oxlo.cli.shutdown import on_shutdown

if TYPE_CHECKING:
    from oxlo.fleet.local import LocalFleet
    from oxlo.settings import Settings

app = typer.Typer()
app.command(name="plan")(plan_command)
app.command(name="status")(status_command)


@app.callback(invoke_without_command=True)
def fleet(context: typer.Context, with_parent: WithParent = False) -> None:
    """Start, warm, watch and restart the engines of the chosen models."""
    if context.invoked_subcommand is None:
        _serve(with_parent)


@app.command()
def restart(model: ModelName) -> None:
    """Replace a model's replicas one after the other, without a lost request.

    Each new one is started and warmed beside the old one, which ends once it is idle.
    """
    from oxlo import catalogue
    from oxlo.settings import Settings

    with one_line_errors():
        settings = Settings.read()
        name = catalogue.load(settings.catalogue_dir).resolve(model).id
        asyncio.run(_restart(name, settings))


async def _restart(model: str, settings: "Settings") -> None:
    from oxlo.fleet.orders import Order, give

    try:
        async for progress in give(Order(model), settings.fleet_socket):
            if progress.error:
                raise CommandError(progress.error)
            typer.echo(f"{progress.replica}  {progress.state:9}  {progress.reason}".rstrip())
    except (FileNotFoundError, ConnectionError):
        raise CommandError(f"no fleet runs on {settings.home}: start `oxlo serve`") from None


def _serve(with_parent: bool) -> None:
    from oxlo import catalogue
    from oxlo.cli import lock
    from oxlo.fleet.local import LocalFleet
    from oxlo.fleet.starter import chosen
    from oxlo.settings import Settings
    from oxlo.telemetry import logs

    with one_line_errors():
        settings = Settings.read()
        known = catalogue.load(settings.catalogue_dir)
        models = chosen(settings, known)
        settings.prepare()
        # A second fleet would overwrite the first one's list of replicas.
        lock.hold(settings.home / lock.FLEET, "`oxlo fleet`")
    logs.configure("fleet", settings)
    asyncio.run(_run(LocalFleet(known, settings, models), with_parent))


async def _run(fleet: "LocalFleet", with_parent: bool) -> None:
    on_shutdown(fleet.stop, with_parent=with_parent)
    await fleet.run()
