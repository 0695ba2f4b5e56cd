"""The `oxlo` command. Each module has one group of commands and imports lazily."""

import os
from typing import Annotated

import typer

from oxlo import __version__
from oxlo.cli import (
    accounts,
    backup,
    calls,
    control,
    doctor,
    engine,
    fleet,
    gateway,
    keys,
    media,
    migrate,
    models,
    serve,
    valkey,
)

app = typer.Typer(
    name="oxlo",
    help="A self-hostable AI inference platform.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command()(serve.serve)
app.command()(doctor.doctor)
app.command()(migrate.migrate)
app.command()(backup.backup)
app.add_typer(accounts.app, name="accounts")
app.add_typer(keys.app, name="keys")
app.add_typer(calls.app, name="calls")
app.add_typer(models.app, name="models")
app.command(hidden=True)(models.pull)  # as users of other programs type it

#: Panel of the help for the processes that `oxlo serve` starts.
_ALONE = "Processes that serve starts, each by itself"
app.command(rich_help_panel=_ALONE)(gateway.gateway)
app.command(rich_help_panel=_ALONE)(control.control)
app.command(rich_help_panel=_ALONE)(media.media)
app.add_typer(fleet.app, name="fleet", rich_help_panel=_ALONE)
app.command(rich_help_panel=_ALONE)(engine.engine)
app.command(rich_help_panel=_ALONE)(valkey.valkey)


def _version(requested: bool) -> None:
    if requested:
        typer.echo(f"oxlo {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """A self-hostable AI inference platform."""


def main() -> None:
    """Run the command line. Files of this and child processes are private to the user."""
    os.umask(0o077)
    app()
