"""The `oxlo` command. Each file here holds one group of commands and imports lazily."""

import typer

app = typer.Typer(
    name="oxlo",
    help="A self-hostable AI inference platform.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run the command line."""
    app()
