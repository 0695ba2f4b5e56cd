"""Reporting the errors of commands."""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import typer

from oxlo.catalogue import THE_OTHERS
from oxlo.errors import ApiError, ModelNotFound, OperatorError


class CommandError(OperatorError):
    """The command failed; the message says why."""


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Print expected errors in one line and exit with 1; bugs keep their traceback."""
    try:
        yield
    except (OperatorError, ApiError, msgspec.ValidationError, OSError) as error:
        typer.echo(f"oxlo: {' '.join(message(error).split())}", err=True)
        raise typer.Exit(1) from None


def message(error: Exception) -> str:
    """The error's message; it points to commands and settings, not to the API."""
    text = str(error)
    if isinstance(error, PermissionError) and error.filename:
        return f"{error.filename} is closed to this user: use Oxlo's user, or set OXLO_HOME"
    if isinstance(error, ModelNotFound):
        return text.replace(THE_OTHERS, "`oxlo models list` lists those that do.")
    return text
