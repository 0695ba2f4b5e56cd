"""Journals to SQL, exactly once, with real files."""

import asyncio
import os
from pathlib import Path

import msgspec
import pytest

from oxlo import plans
from oxlo.control import drain
from oxlo.control.context import Control
from oxlo.control.drain import Drain
from oxlo.control.figures import Figures
from oxlo.control.segments import Segment
from oxlo.store import accounts, calls, keys, leaving, positions
from oxlo.store.calls import Call
from oxlo.testing import journal

YESTERDAY = 1_800_000_000.0 - 86400


async def _call(control: Control, call_id: str) -> Call | None:
    async with control.database.read() as db:
        return await calls.find(db, call_id)


def _segment(control: Control, name: str = "gw-000001.jsonl") -> Path:
    return control.settings.journal_dir / name


def _another(control: Control) -> Drain:
    """A new drain, as after a restart."""
    return Drain(control.settings.journal_dir, control.database, Figures())


async def test_torn_line_waits_for_its_end(control: Control) -> None:
    """An incomplete line is drained once it is complete."""
    whole = journal.lines(journal.admitted("req_1"), journal.settled("req_1"))
    journal.append(_segment(control), whole[:-20])
    assert await control.drain.run() == 1
    assert (await _call(control, "req_1")).outcome == "running"  # type: ignore[union-attr]
    journal.append(_segment(control), whole[-20:])
    assert await control.drain.run() == 1
    assert (await _call(control, "req_1")).outcome == "answered"  # type: ignore[union-attr]


async def test_torn_line_of_an_old_segment(control: Control) -> None:
    """A line that a crash tore is skipped once its segment has a successor, and nothing lags."""
    torn = journal.lines(journal.admitted("req_1"), journal.settled("req_1"))[:-20]
    journal.append(_segment(control), torn)
    os.utime(_segment(control), (YESTERDAY, YESTERDAY))
    journal.append(_segment(control, "gw-000002.jsonl"), journal.lines(journal.settled("req_2")))
    assert await control.drain.run() == 2
    assert control.metrics.registry.get_sample_value("oxlo_control_journal_lag_bytes") == 0
    assert not _segment(control).exists()


async def test_a_number_without_end_holds_nobody_up(control: Control) -> None:
    """Token counts from engines are capped at the maximum of an SQL column."""
    boast = msgspec.structs.replace(journal.settled("req_1"), tokens_in=10**30, day_left=10**12)
    journal.append(_segment(control), journal.lines(boast, journal.settled("req_2")))
    assert await control.drain.run() == 2
    call = await _call(control, "req_1")
    assert call is not None
    assert (call.tokens_in, call.day_left) == (2**31 - 1, 2**31 - 1)


async def test_a_call_that_outlives_its_account(control: Control) -> None:
    """Calls that end after their account was deleted are kept anonymously."""
    async with control.database.write() as db:
        ann = await accounts.create(db, "ann", plans.load()["free"], now=journal.AT)
    call = journal.admitted("req_1", account=ann.id)
    journal.append(_segment(control), journal.lines(call))
    await control.drain.run()
    async with control.database.write() as db:
        await leaving.delete_account(db, ann)
    journal.append(_segment(control), journal.lines(journal.ended(call, journal.AT + 2)))
    await control.drain.run()
    kept = await _call(control, "req_1")
    assert kept is not None
    assert (kept.account_id, kept.key_id, kept.outcome) == ("deleted", "deleted", "answered")


async def test_restart_goes_on_where_sql_is(control: Control) -> None:
    """A new process reads only new records."""
    journal.append(_segment(control), journal.lines(journal.settled("req_1")))
    await control.drain.run()
    journal.append(_segment(control), journal.lines(journal.settled("req_2")))
    assert await _another(control).run() == 1


async def test_two_drains_write_once(control: Control) -> None:
    """With two processes, each record is written once."""
    records = [journal.settled(f"req_{n}") for n in range(50)]
    journal.append(_segment(control), journal.lines(*records))
    counts = await asyncio.gather(control.drain.run(), _another(control).run())
    assert sum(counts) == 50


async def test_late_admission(control: Control) -> None:
    """An admission that comes after its outcome, even in a later drain, changes nothing."""
    journal.append(_segment(control), journal.lines(journal.settled("req_1")))
    await control.drain.run()
    journal.append(_segment(control), journal.lines(journal.admitted("req_1")))
    await control.drain.run()
    assert (await _call(control, "req_1")).outcome == "answered"  # type: ignore[union-attr]


async def test_garbage_is_counted_and_skipped(control: Control) -> None:
    """An invalid line is skipped and counted once; its neighbours are drained."""
    good = journal.lines(journal.settled("req_1"))
    journal.append(_segment(control), b"garbage\n" + good)
    assert await control.drain.run() == 1
    assert await control.drain.run() == 0
    assert control.metrics.registry.get_sample_value(
        "oxlo_control_journal_garbage_lines_total"
    ) == pytest.approx(1)


async def test_many_records_over_many_reads(control: Control) -> None:
    """Twelve thousand records, which take several reads, are all written."""
    records = [journal.settled(f"req_{n}") for n in range(12_000)]
    journal.append(_segment(control), journal.lines(*records))
    assert await control.drain.run() == 12_000
    async with control.database.read() as db:
        assert await calls.counted_on(db, "acct_1", journal.DAY) == 12_000
    assert control.metrics.registry.get_sample_value("oxlo_control_journal_lag_bytes") == 0


async def test_rows_and_position_together(control: Control) -> None:
    """If rows cannot be written, the position is not advanced either."""
    bad = journal.settled("req_1")
    journal.append(_segment(control), journal.lines(bad))
    async with control.database.write() as db:
        await db.exec_driver_sql("create trigger no before insert on calls "
                                 "begin select raise(abort, 'disk full'); end")  # fmt: skip
    with pytest.raises(Exception, match="disk full"):
        await control.drain.run()
    async with control.database.write() as db:
        assert await positions.every(db) == {}
        await db.exec_driver_sql("drop trigger no")
    assert await control.drain.run() == 1


async def test_wiped_journal_begins_anew(control: Control) -> None:
    """A segment that is shorter than its position is read from the start."""
    records = [journal.settled("req_1"), journal.settled("req_2")]
    journal.append(_segment(control), journal.lines(*records))
    await control.drain.run()
    _segment(control).write_bytes(journal.lines(journal.settled("req_3")))
    assert await control.drain.run() == 1


async def test_old_segments_are_deleted(control: Control) -> None:
    """Drained segments are deleted with their positions, except the newest and those of today."""
    for number, written in ((1, YESTERDAY), (2, YESTERDAY + 86400), (3, YESTERDAY)):
        file = _segment(control, f"gw-{number:06}.jsonl")
        journal.append(file, journal.lines(journal.settled(f"req_{number}")))
        os.utime(file, (written, written))
    await control.drain.run()
    left = {file.name for file in control.settings.journal_dir.iterdir()}
    assert left == {"gw-000002.jsonl", "gw-000003.jsonl"}
    async with control.database.read() as db:
        assert set(await positions.every(db)) == left
    assert await _call(control, "req_1") is not None


def test_segment_that_is_not_drained_stays() -> None:
    """A segment that is not completely drained is never deleted."""
    old = Segment(Path("gw-000001.jsonl"), "gw", 1, size=100, written=0.0)
    new = Segment(Path("gw-000002.jsonl"), "gw", 2, size=100, written=0.0)
    assert drain.finished([old, new], {old.name: 90, new.name: 100}, today=5) == []
    assert drain.finished([old, new], {old.name: 100, new.name: 100}, today=5) == [old]


async def test_last_use_of_a_key(control: Control) -> None:
    """Keys' last use is taken from the journal."""
    async with control.database.write() as db:
        ann = await accounts.create(db, "ann", plans.load()["free"], now=1.0)
        key, _ = await keys.issue(db, ann.id, name="k", signing=b"s", now=1.0)
    record = journal.settled("req_1", account=ann.id, key=key.id)
    journal.append(_segment(control), journal.lines(record))
    await control.drain.run()
    async with control.database.read() as db:
        assert (await keys.of_account(db, ann.id))[0].last_used_at == record.at


async def test_two_hosts_share_a_database(control: Control, tmp_path: Path) -> None:
    """Drains of two hosts keep positions apart, although their gateways have the same names."""
    drains = []
    for host in ("a", "b"):
        folder = tmp_path / host
        folder.mkdir()
        records = [journal.settled(f"req_{host}{n}") for n in range(1 + len(drains))]
        journal.append(folder / "g1-000001.jsonl", journal.lines(*records))
        drains.append(Drain(folder, control.database, Figures(), site=host))
    assert [await drain.run() for drain in drains] == [1, 2]
    assert [await drain.run() for drain in drains] == [0, 0]
    async with control.database.read() as db:
        assert set(await positions.every(db)) == {"a/g1-000001.jsonl", "b/g1-000001.jsonl"}
