"""A journal on a disk that is full: `/dev/full` refuses each write as such a disk does."""

import asyncio
from pathlib import Path
from typing import Literal

import pytest
import structlog.testing

from oxlo.ledger.journal import Journal
from oxlo.ledger.records import Snapshot
from oxlo.ledger.recovery import recover
from oxlo.testing.journal import admitted, ended

AT = 1_795_392_000.0

pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")


def journal_in(folder: Path, on_full: Literal["continue", "stop"]) -> Journal:
    """A journal on the running loop."""
    return Journal(
        folder,
        "g1",
        on_full=on_full,
        schedule=asyncio.get_running_loop().call_soon,
        snapshot=lambda: Snapshot(AT, (), ()),
    )


@pytest.mark.parametrize("on_full", ["continue", "stop"])
async def test_calls_under_way_finish(tmp_path: Path, on_full: Literal["continue", "stop"]) -> None:
    """On a full disk calls still end, one line is logged, and with `stop` no call is admitted."""
    (tmp_path / "g1-000001.draft").symlink_to("/dev/full")
    journal = journal_in(tmp_path, on_full)
    with structlog.testing.capture_logs() as logs:
        for number in range(5):
            written = asyncio.Event()
            journal.append(admitted(str(number), AT), written.set)
            await written.wait()
            journal.retry()
    assert (journal.errors, journal.writable) == (6, on_full == "continue")
    assert [line["event"] for line in logs] == ["journal.failed"]
    journal.close()


async def test_full_disk_leaves_no_segment(tmp_path: Path) -> None:
    """A segment that could not be written has no name; the one before it is still the newest."""
    first = journal_in(tmp_path, "stop")
    call = admitted("x", AT)
    first.append(call, lambda: None)
    first.append(ended(call, AT), lambda: None)
    first.close()
    (tmp_path / "g1-000002.draft").symlink_to("/dev/full")
    second = journal_in(tmp_path, "stop")
    second.append(admitted("y", AT), lambda: None)
    second.close()
    recovered = recover(tmp_path, "g1", AT)
    assert (recovered.counts[0][2], recovered.lost) == (1, ())
