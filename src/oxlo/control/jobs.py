"""What control does by the clock: drain the journals, send mails, end plans, delete what is old."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from oxlo.control import orphans
from oxlo.control.context import Control
from oxlo.objects.errors import CannotKeep
from oxlo.store import accounts, audit, brakes, calls, mails, readiness, sessions, tokens
from oxlo.store.errors import StoreError

DRAIN_SECONDS = 0.5
ADOPT_SECONDS = 30.0
RETENTION_SECONDS = 3600.0
LOOK_SECONDS = 60.0
MAIL_SECONDS = 1.0
PLANS_SECONDS = 10.0
RETRY_SECONDS = 5.0
#: Rows deleted in one transaction: a long one would keep other writers waiting.
_BATCH = 2000
_HOUR = 3600
_DAY = 24 * _HOUR

Job = Callable[[], Awaitable[object]]

log = structlog.get_logger()


async def repeat(
    control: Control, name: str, job: Job, seconds: float, stop: asyncio.Event
) -> None:
    """Run a job, wait, and run it again until `stop`; after a failure the wait is longer."""
    while not stop.is_set():
        done = await attempt(control, name, job)
        await _pause(stop, seconds if done else max(seconds, RETRY_SECONDS))


async def attempt(control: Control, name: str, job: Job) -> bool:
    """Run a job once; a failure is logged and counted, never raised: False."""
    errors = control.metrics.job_errors.labels(name)  # from the start 0, so that a rise is one
    try:
        await job()
    except (StoreError, CannotKeep) as error:
        log.warning("job.failed", job=name, error=str(error))
    except Exception:
        log.exception("job.failed", job=name)
    else:
        return True
    errors.inc()
    return False


async def adopt_orphans(control: Control) -> int:
    """End the calls of gateways that run no more; how many."""
    folder = control.settings.journal_dir
    return await asyncio.to_thread(orphans.adopt, folder, control.clock())


async def delete_old_receipts(control: Control) -> int:
    """Delete receipts older than `settings.receipts_days`; the number deleted."""
    before = control.believed() - control.settings.receipts_days * _DAY
    total = 0
    while True:
        async with control.database.write() as db:
            deleted = await calls.delete_before(db, before, limit=_BATCH)
        total += deleted
        if deleted < _BATCH:
            return total


async def delete_old_logins(control: Control) -> int:
    """Forget log-ins, and failed ones, longer ago than receipts are kept; how many entries."""
    before = control.believed() - control.settings.receipts_days * _DAY
    async with control.database.write() as db:
        return await audit.delete_logins_before(db, before)


async def delete_old_looks(control: Control) -> int:
    """Forget how ready the models were longer ago than receipts are kept; how many rows."""
    before = control.believed() - control.settings.receipts_days * _DAY
    async with control.database.write() as db:
        return await readiness.delete_before(db, before)


async def delete_old_objects(control: Control) -> int:
    """Delete images older than `settings.objects_hours`, whose links no longer hold; how many."""
    before = control.believed() - control.settings.objects_hours * _HOUR
    return await control.objects.delete_before(before)


async def end_plans(control: Control) -> int:
    """Put accounts whose plan was for a time on the one that comes after it; how many."""
    async with control.database.read() as db:
        if not await accounts.plan_ends(db, control.believed()):
            return 0
    async with control.database.write() as db:
        return await accounts.end_plans(db, control.believed())


async def tidy_portal(control: Control) -> int:
    """Delete sessions, links, counters and mails that are over; how many."""
    now, deleted = control.believed(), 0
    for part in (sessions.delete_expired, tokens.delete_expired, brakes.delete_old):
        async with control.database.write() as db:
            deleted += await part(db, now)
    async with control.database.write() as db:
        return deleted + await mails.delete_old(db, now)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        pass
