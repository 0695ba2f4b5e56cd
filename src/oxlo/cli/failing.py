"""How a command says that it cannot do what it was asked."""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import typer

from oxlo.catalogue import THE_OTHERS
from oxlo.errors import ApiError, ModelNotFound, OperatorError


class CommandError(OperatorError):
    """The command cannot do what it was asked."""


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Say what went wrong in one line and exit with 1, where it is not a bug of ours."""
    try:
        yield
    except (OperatorError, ApiError, msgspec.ValidationError, OSError) as error:
        typer.echo(f"oxlo: {' '.join(words(error).split())}", err=True)
        raise typer.Exit(1) from None


def words(error: Exception) -> str:
    """What went wrong, for people at a terminal: an unknown model is not looked up by HTTP."""
    said = str(error)
    if isinstance(error, ModelNotFound):
        return said.replace(THE_OTHERS, "`oxlo models list` lists those that do.")
    return said
