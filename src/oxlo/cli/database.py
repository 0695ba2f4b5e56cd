"""Running a command's work on the database; SQLAlchemy is imported only then."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from oxlo import plans
from oxlo.cli.failures import CommandError, one_line_errors
from oxlo.plans import Plan
from oxlo.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from oxlo.store.database import Database

Result = TypeVar("Result")


@dataclass(frozen=True)
class CommandContext:
    """Dependencies of a command: settings, the open database, and the time."""

    settings: Settings
    database: "Database"
    now: float

    def plan(self, plan_id: str) -> Plan:
        """The plan with this id. Raises CommandError, listing the known plans."""
        try:
            return plans.load(self.settings.plans_file)[plan_id]
        except KeyError as error:
            raise CommandError(str(error.args[0])) from None

    async def note(self, db: "AsyncConnection", action: str, target: str, detail: str = "") -> None:
        """Write the command's action to the audit log, in the transaction of `db`."""
        from oxlo.store import audit

        await audit.write(db, action, actor="cli", target=target, now=self.now, detail=detail)


def run(work: Callable[[CommandContext], Awaitable[Result]]) -> Result:
    """Run `work` on the database. SQLite is created or migrated first.

    On failure, prints one line to stderr and exits with 1.
    """
    with one_line_errors():
        return asyncio.run(_on_database(Settings.read(), work))


async def _on_database(
    settings: Settings, work: Callable[[CommandContext], Awaitable[Result]]
) -> Result:
    from oxlo.store import migrate
    from oxlo.store.database import Database

    settings.prepare()
    database = Database(settings.database)
    try:
        await migrate.prepare(database)
        return await work(CommandContext(settings, database, time.time()))
    finally:
        await database.close()
