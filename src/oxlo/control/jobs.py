"""Periodic jobs: drain the journals, send mails, end plans, delete old data."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from oxlo.control import orphans
from oxlo.control.context import Control
from oxlo.objects.errors import StorageError
from oxlo.store import accounts, audit, calls, mails, readiness, sessions, throttles, tokens
from oxlo.store.errors import StoreError

DRAIN_SECONDS = 0.5
ADOPT_SECONDS = 30.0
RETENTION_SECONDS = 3600.0
LOOK_SECONDS = 60.0
MAIL_SECONDS = 1.0
PLANS_SECONDS = 10.0
RETRY_SECONDS = 5.0
#: Rows deleted in one transaction: a long one would block other writers.
_BATCH = 2000
_HOUR = 3600
_DAY = 24 * _HOUR

Job = Callable[[], Awaitable[object]]

log = structlog.get_logger()


async def repeat(
    control: Control, name: str, job: Job, seconds: float, stop: asyncio.Event
) -> None:
    """Run a job every `seconds` until `stop`; the wait after a failure is longer."""
    while not stop.is_set():
        done = await attempt(control, name, job)
        await _pause(stop, seconds if done else max(seconds, RETRY_SECONDS))


async def attempt(control: Control, name: str, job: Job) -> bool:
    """Run a job once; a failure is counted, logged unless it lasts, and returns False."""
    errors = control.metrics.job_errors.labels(
        name
    )  # created at 0, so that Prometheus sees the first increase
    try:
        await job()
    except (StoreError, StorageError) as error:
        if control.troubles.begins(name, str(error)):
            log.warning("job.failed", job=name, error=str(error))
    except Exception as error:
        if control.troubles.begins(name, repr(error)):
            log.exception("job.failed", job=name)
    else:
        if control.troubles.ends(name):
            log.info("job.recovered", job=name)
        return True
    errors.inc()
    return False


async def adopt_orphans(control: Control, checked: dict[str, int]) -> int:
    """End open calls of gateways that no longer run; returns their number."""
    folder = control.settings.journal_dir
    return await asyncio.to_thread(orphans.adopt, folder, control.clock(), checked)


async def delete_old_receipts(control: Control) -> int:
    """Delete receipts older than `settings.receipts_days`; returns their number."""
    before = control.trusted_clock() - control.settings.receipts_days * _DAY
    total = 0
    while True:
        async with control.database.write() as db:
            deleted = await calls.delete_before(db, before, limit=_BATCH)
        total += deleted
        if deleted < _BATCH:
            return total


async def delete_old_logins(control: Control) -> int:
    """Delete entries of logins, failed ones included, as old as old receipts; their number."""
    before = control.trusted_clock() - control.settings.receipts_days * _DAY
    async with control.database.write() as db:
        return await audit.delete_logins_before(db, before)


async def delete_old_samples(control: Control) -> int:
    """Delete samples of the models' readiness as old as old receipts; returns their number."""
    before = control.trusted_clock() - control.settings.receipts_days * _DAY
    async with control.database.write() as db:
        return await readiness.delete_before(db, before)


async def delete_old_objects(control: Control) -> int:
    """Delete images older than `settings.objects_hours`; returns their number."""
    before = control.trusted_clock() - control.settings.objects_hours * _HOUR
    return await control.objects.delete_before(before)


async def end_plans(control: Control) -> int:
    """Move accounts whose plan has expired to its successor; returns their number."""
    async with control.database.read() as db:
        if not await accounts.plan_ends(db, control.trusted_clock()):
            return 0
    async with control.database.write() as db:
        return await accounts.end_plans(db, control.trusted_clock())


async def tidy_portal(control: Control) -> int:
    """Delete expired sessions, links, counters and mails; returns their number."""
    now, deleted = control.trusted_clock(), 0
    for part in (sessions.delete_expired, tokens.delete_expired, throttles.delete_old):
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
