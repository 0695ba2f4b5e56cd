"""How a command says that it cannot do what it was asked."""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import typer

from oxlo.errors import ApiError, OperatorError


class CommandError(OperatorError):
    """The command cannot do what it was asked."""


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Say what went wrong in one line and exit with 1, where it is not a bug of ours."""
    try:
        yield
    except (OperatorError, ApiError, msgspec.ValidationError, OSError) as error:
        typer.echo(f"oxlo: {' '.join(str(error).split())}", err=True)
        raise typer.Exit(1) from None
