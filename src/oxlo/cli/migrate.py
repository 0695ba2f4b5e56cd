"""`oxlo migrate`: bring the database to this program's schema."""

import asyncio

import typer

from oxlo.cli.failures import one_line_errors
from oxlo.settings import Settings


def migrate() -> None:
    """Migrate the database. `oxlo serve` does it for SQLite; PostgreSQL needs this command."""
    with one_line_errors():
        before, after = asyncio.run(_migrate(Settings.read()))
    done = f"Schema {after}: nothing to do." if before == after else None
    typer.echo(done or f"Migrated the schema from {before or 'none'} to {after}.")


async def _migrate(settings: Settings) -> tuple[str | None, str | None]:
    from oxlo.store import migrate as schema
    from oxlo.store.database import Database

    settings.prepare()
    database = Database(settings.database)
    try:
        return await schema.upgrade(database)
    finally:
        await database.close()
