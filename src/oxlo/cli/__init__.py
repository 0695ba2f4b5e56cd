"""The `oxlo` command. Each file here holds one group of commands and imports lazily."""

import typer

from oxlo.cli import accounts, control, engine, fleet, keys, migrate, models

app = typer.Typer(
    name="oxlo",
    help="A self-hostable AI inference platform.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(accounts.app, name="accounts")
app.add_typer(keys.app, name="keys")
app.add_typer(models.app, name="models")
app.command()(migrate.migrate)
app.command()(control.control)
app.command()(engine.engine)
app.command()(fleet.fleet)


def main() -> None:
    """Run the command line."""
    app()
