"""Background jobs."""

import asyncio

import msgspec
import pytest
import structlog.testing

from oxlo.control import call_records, jobs
from oxlo.control.context import Control
from oxlo.store import audit, calls
from oxlo.store.errors import DatabaseUnavailable
from oxlo.testing import journal

NOW = 1_800_000_000.0


async def test_receipts_of_90_days(control: Control) -> None:
    """Receipts older than the setting are deleted; others are kept."""
    (call,) = call_records.calls([journal.settled("req_new")])
    young = msgspec.structs.replace(call, admitted_at=NOW - 89 * 86400)
    old = msgspec.structs.replace(call, id="req_old", admitted_at=NOW - 91 * 86400)
    async with control.database.write() as db:
        await calls.save(db, [young, old])
    assert await jobs.delete_old_receipts(control) == 1
    async with control.database.read() as db:
        assert await calls.find(db, "req_new") == young
        assert await calls.find(db, "req_old") is None


async def test_log_ins_are_not_kept_for_ever(control: Control) -> None:
    """Old logins, failed ones included, are deleted; operators' actions are kept."""
    deeds = (("login", 91), ("login.failed", 91), ("login", 89), ("account.closed", 400))
    async with control.database.write() as db:
        for action, days in deeds:
            now = NOW - days * 86400
            await audit.write(db, action, actor="acct_1", target="acct_1", now=now)
    assert await jobs.delete_old_logins(control) == 2
    async with control.database.read() as db:
        left = [entry.action for entry in await audit.latest(db, limit=9)]
    assert left == ["login", "account.closed"]


@pytest.mark.parametrize("error", [DatabaseUnavailable("gone"), ZeroDivisionError("a bug")])
async def test_failure_is_counted_not_raised(control: Control, error: Exception) -> None:
    """A failing job does not end the process."""

    async def fail() -> None:
        raise error

    assert not await jobs.attempt(control, "fail", fail)
    errors = control.metrics.registry.get_sample_value(
        "oxlo_control_job_errors_total", {"job": "fail"}
    )
    assert errors == 1


@pytest.mark.parametrize("error", [DatabaseUnavailable("gone"), ZeroDivisionError("a bug")])
async def test_lasting_failure_is_logged_once(control: Control, error: Exception) -> None:
    """The log has the first failure and the recovery, not the tries between them."""
    results: list[Exception | None] = [None, error, error, error, None, None]

    async def job() -> None:
        if result := results.pop(0):
            raise result

    with structlog.testing.capture_logs() as logs:
        for _ in range(len(results)):
            await jobs.attempt(control, "drain", job)
    assert [line["event"] for line in logs] == ["job.failed", "job.recovered"]


async def test_repeats_until_stopped(control: Control) -> None:
    """A job is repeated until it is stopped."""
    stop = asyncio.Event()
    runs = []

    async def job() -> None:
        runs.append(1)
        if len(runs) == 3:
            stop.set()

    await jobs.repeat(control, "count", job, 0.001, stop)
    assert len(runs) == 3
