"""Runs a command's work on the database. SQL is imported only when such a command runs."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from oxlo import plans
from oxlo.cli.failing import CommandError, one_line_errors
from oxlo.plans import Plan
from oxlo.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from oxlo.store.database import Database

Result = TypeVar("Result")


@dataclass(frozen=True)
class Desk:
    """What a command works with: the settings, the open database, and the moment."""

    settings: Settings
    database: "Database"
    now: float

    def plan(self, plan_id: str) -> Plan:
        """The plan of this id. Raises CommandError naming those there are."""
        try:
            return plans.load(self.settings.plans_file)[plan_id]
        except KeyError as error:
            raise CommandError(str(error.args[0])) from None

    async def note(self, db: "AsyncConnection", action: str, target: str, detail: str = "") -> None:
        """Put what the command does into the audit log, in its own transaction."""
        from oxlo.store import audit

        await audit.write(db, action, actor="cli", target=target, now=self.now, detail=detail)


def run(work: Callable[[Desk], Awaitable[Result]]) -> Result:
    """Run `work` on the database, which is made or migrated first where that is ours to do.

    Ends the program with one line on stderr and exit code 1 when it fails.
    """
    with one_line_errors():
        return asyncio.run(_on_database(Settings.read(), work))


async def _on_database(settings: Settings, work: Callable[[Desk], Awaitable[Result]]) -> Result:
    from oxlo.store import migrate
    from oxlo.store.database import Database

    settings.prepare()
    database = Database(settings.database)
    try:
        await migrate.prepare(database)
        return await work(Desk(settings, database, time.time()))
    finally:
        await database.close()
