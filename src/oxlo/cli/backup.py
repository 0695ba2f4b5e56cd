"""`oxlo backup`: copies of everything that cannot be made again, while Oxlo runs."""

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from oxlo.cli.failures import CommandError, one_line_errors
from oxlo.settings import Settings

#: Files and folders of OXLO_HOME that are copied as they are, if they exist.
_PARTS = ("secret", "journal", "models.d", "supplied", "plans.toml", "plans", "pins")

Target = Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder that does not exist yet.")]


def backup(target: Target) -> None:
    """Copy database, secret, journals, plans and your own models into a new folder."""
    with one_line_errors():
        settings = Settings.read()
        copied = back_up(settings, target)
    typer.echo(f"Copied {', '.join(copied)} from {settings.home} to {target}.")
    if settings.database_url:
        typer.echo("The database is not in it: it is backed up with its own tools (pg_dump).")


def back_up(settings: Settings, target: Path) -> list[str]:
    """Make a backup; the folder appears once it is complete. Returns what was copied.

    Raises CommandError, OSError.
    """
    if target.exists():
        raise CommandError(f"{target} exists already: name a new folder")
    if not (settings.home / "secret").exists() and not settings.installation_secret:
        raise CommandError(f"{settings.home} has nothing to back up: set OXLO_HOME")
    draft = target.with_name(f"{target.name}.{os.getpid()}.tmp")
    draft.mkdir(mode=0o700, parents=True)
    try:
        copied = [*_database(settings, draft), *_files(settings.home, draft)]
        draft.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return copied


def _database(settings: Settings, target: Path) -> list[str]:
    """Copy the database, before the journals: what is in neither copy would be lost."""
    from oxlo.store.migrate import copy_sqlite

    file = settings.home / "oxlo.db"
    if settings.database_url or not file.exists():
        return []
    copy_sqlite(file, target / file.name)
    return [file.name]


def _files(home: Path, target: Path) -> list[str]:
    found = [name for name in _PARTS if (home / name).exists()]
    for name in found:
        if (home / name).is_dir():
            shutil.copytree(home / name, target / name, copy_function=_copy)
        else:
            _copy(home / name, target / name)
    return found


def _copy(source: str | Path, target: str | Path) -> None:
    """Copy a file, unless it has gone: journals are deleted once they are in SQL and a day old."""
    with suppress(FileNotFoundError):
        shutil.copy2(source, target)
