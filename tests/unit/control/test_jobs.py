"""Background jobs."""

import asyncio

import msgspec
import pytest

from oxlo.control import fold, jobs
from oxlo.control.context import Control
from oxlo.store import calls
from oxlo.store.errors import DatabaseUnavailable
from oxlo.testing import journal

NOW = 1_800_000_000.0


async def test_receipts_of_90_days(control: Control) -> None:
    """What is older than the setting goes; the rest stays."""
    (call,) = fold.calls([journal.settled("req_new")])
    young = msgspec.structs.replace(call, admitted_at=NOW - 89 * 86400)
    old = msgspec.structs.replace(call, id="req_old", admitted_at=NOW - 91 * 86400)
    async with control.database.write() as db:
        await calls.save(db, [young, old])
    assert await jobs.delete_old_receipts(control) == 1
    async with control.database.read() as db:
        assert await calls.find(db, "req_new") == young
        assert await calls.find(db, "req_old") is None


@pytest.mark.parametrize("error", [DatabaseUnavailable("gone"), ZeroDivisionError("a bug")])
async def test_failure_is_counted_not_raised(control: Control, error: Exception) -> None:
    """A job that fails does not end control."""

    async def fail() -> None:
        raise error

    assert not await jobs.attempt(control, "fail", fail)
    errors = control.metrics.registry.get_sample_value(
        "oxlo_control_job_errors_total", {"job": "fail"}
    )
    assert errors == 1


async def test_repeats_until_stopped(control: Control) -> None:
    """A job runs again and again, and ends when it is told to."""
    stop = asyncio.Event()
    runs = []

    async def job() -> None:
        runs.append(1)
        if len(runs) == 3:
            stop.set()

    await jobs.repeat(control, "count", job, 0.001, stop)
    assert len(runs) == 3
