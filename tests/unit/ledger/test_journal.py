import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from oxlo.ledger.journal import Journal, JournalInUseError
from oxlo.ledger.records import Record, Snapshot
from oxlo.ledger.recovery import decode
from oxlo.ledger.segment import segments
from oxlo.testing.journal import admitted

Open = Callable[..., Journal]
MIB = 1 << 20


def nothing() -> None:
    """A `then` that does nothing."""


def on_disk(folder: Path) -> list[Record]:
    """Every record of gateway `g1`, oldest segment first; each line must be whole."""
    paths = reversed(segments(folder, "g1"))
    lines = b"".join(path.read_bytes() for path in paths).splitlines(keepends=True)
    records = list(decode(lines))
    assert len(records) == len(lines)
    return records


def ids(folder: Path) -> list[str]:
    """The calls in the journal, in order."""
    return [record.id for record in on_disk(folder) if not isinstance(record, Snapshot)]


def test_one_write_a_turn(open_journal: Open, loop: Any, tmp_path: Path) -> None:
    """Records of one turn are written together, then their `then`s run in order."""
    journal = open_journal()
    seen: list[str] = []
    for name in "xyz":
        journal.append(admitted(name, 1.0), partial(seen.append, name))
        journal.append(admitted(name * 2, 1.0), lambda: seen.append(str(len(ids(tmp_path)))))
    assert (seen, len(loop.next)) == ([], 1)
    loop.turn()
    assert seen == ["x", "6", "y", "6", "z", "6"]


def test_record_is_on_disk_before_then(open_journal: Open, loop: Any, tmp_path: Path) -> None:
    """The record is on disk when `then` runs."""
    journal, found = open_journal(), []
    journal.append(admitted("x", 1.0), lambda: found.extend(ids(tmp_path)))
    loop.turn()
    assert found == ["x"]


def test_then_may_append(open_journal: Open, loop: Any, tmp_path: Path) -> None:
    """A record appended by a `then` is written in the next turn."""
    journal = open_journal()
    journal.append(admitted("x", 1.0), lambda: journal.append(admitted("y", 1.0), nothing))
    loop.turn()
    assert ids(tmp_path) == ["x"]
    loop.turn()
    assert ids(tmp_path) == ["x", "y"]


def test_failing_then_stops_nobody(open_journal: Open, loop: Any) -> None:
    """An exception in one `then` reaches the loop's handler; those after it still run."""
    journal, seen = open_journal(), []
    journal.append(admitted("x", 1.0), lambda: seen.append(str(1 // 0)))
    journal.append(admitted("y", 1.0), lambda: seen.append("y"))
    with pytest.raises(ZeroDivisionError):
        loop.turn()
    loop.turn()
    assert seen == ["y"]


def test_segment_starts_with_snapshot(open_journal: Open, loop: Any, tmp_path: Path) -> None:
    """Each segment starts with the current counts, and is inaccessible to other users."""
    snapshot = Snapshot(5.0, (("a", 1, 2, 3, 4, 5),), (admitted("w", 1.0),))
    journal = open_journal(snapshot=lambda: snapshot)
    journal.append(admitted("x", 1.0), nothing)
    loop.turn()
    assert on_disk(tmp_path) == [snapshot, admitted("x", 1.0)]
    assert segments(tmp_path, "g1")[0].stat().st_mode & 0o777 == 0o600


def test_segments_rotate(open_journal: Open, loop: Any, tmp_path: Path) -> None:
    """A segment that is large enough is followed by the next one."""
    journal = open_journal(segment_bytes=1)
    for name in "xyz":
        journal.append(admitted(name, 1.0), nothing)
        loop.turn()
    names = [path.name for path in segments(tmp_path, "g1")]
    assert names == ["g1-000003.jsonl", "g1-000002.jsonl", "g1-000001.jsonl"]
    assert ids(tmp_path) == ["x", "y", "z"]


def test_restart_begins_a_segment(open_journal: Open, loop: Any, tmp_path: Path) -> None:
    """A new run leaves old segments, torn or not, as they are."""
    (tmp_path / "g1-000007.jsonl").write_bytes(b'["snap')
    open_journal().append(admitted("x", 1.0), nothing)
    loop.turn()
    assert (tmp_path / "g1-000008.jsonl").exists()
    assert (tmp_path / "g1-000007.jsonl").read_bytes() == b'["snap'


def test_name_is_locked(open_journal: Open) -> None:
    """Two gateways never share a name; a closed journal frees it."""
    journal = open_journal()
    with pytest.raises(JournalInUseError):
        open_journal(lock_seconds=0.0)
    journal.close()
    open_journal()


def test_a_lock_that_is_held_briefly(open_journal: Open) -> None:
    """A gateway starts although control has just locked the journal that it left behind."""
    journal = open_journal()
    release = threading.Timer(0.05, journal.close)
    release.start()
    open_journal(lock_seconds=60.0)
    release.join()


def test_close_writes_what_is_pending(open_journal: Open, tmp_path: Path) -> None:
    """Closing writes pending records without another turn of the loop."""
    journal, seen = open_journal(), []
    journal.append(admitted("x", 1.0), lambda: seen.append(ids(tmp_path)))
    journal.close()
    assert seen == [["x"]]


@pytest.mark.parametrize(("on_full", "writable"), [("continue", True), ("stop", False)])
def test_disk_that_takes_nothing(
    open_journal: Open, loop: Any, tmp_path: Path, on_full: str, writable: bool
) -> None:
    """On a full disk open calls continue; the setting decides whether new ones are admitted."""
    journal, seen = open_journal(on_full=on_full), []
    draft = tmp_path / "g1-000001.draft"
    draft.mkdir()
    journal.append(admitted("x", 1.0), lambda: seen.append("x"))
    loop.turn()
    assert (seen, journal.errors, journal.failing, journal.writable) == (["x"], 1, True, writable)
    draft.rmdir()
    journal.retry()
    assert (ids(tmp_path), journal.failing, journal.writable) == (["x"], False, True)


def test_full_disk_tears_no_line(
    open_journal: Open,
    loop: Any,
    tmp_path: Path,
    full_disk: Callable[[int], AbstractContextManager[None]],
) -> None:
    """When a write is cut short, readers see whole lines only, and the rest follows later."""
    journal = open_journal()
    names = [f"call-{number}" for number in range(20_000)]
    with full_disk(MIB):
        for name in names:
            journal.append(admitted(name, 1.0), nothing)
        loop.turn()
        kept = segments(tmp_path, "g1")
        journal.append(admitted("last", 1.0), nothing)
        loop.turn()
    assert (kept, journal.failing) == ([], True)
    journal.retry()
    assert ids(tmp_path) == [*names, "last"]


def test_torn_line_is_cut_off(
    open_journal: Open,
    loop: Any,
    tmp_path: Path,
    full_disk: Callable[[int], AbstractContextManager[None]],
) -> None:
    """A torn line of a named segment is repaired by the next successful write."""
    journal = open_journal()
    journal.append(admitted("first", 1.0), nothing)
    loop.turn()
    with full_disk(MIB):
        for number in range(20_000):
            journal.append(admitted(str(number), 1.0), nothing)
        loop.turn()
    path = segments(tmp_path, "g1")[0]
    assert path.stat().st_size == MIB
    assert not path.read_bytes().endswith(b"\n")
    journal.retry()
    assert ids(tmp_path) == ["first", *map(str, range(20_000))]
    assert journal.bytes == path.stat().st_size


def test_memory_is_bounded_while_the_disk_is_full(
    open_journal: Open, loop: Any, tmp_path: Path
) -> None:
    """The oldest records are dropped and counted; a new segment then corrects the counts."""
    snapshots = iter([Snapshot(1.0, (), ()), Snapshot(2.0, (), ())])
    journal = open_journal(buffer_bytes=1_000, snapshot=lambda: next(snapshots))
    draft = tmp_path / "g1-000001.draft"
    draft.mkdir()
    for number in range(100):
        journal.append(admitted(str(number), 1.0), nothing)
        loop.turn()
    draft.rmdir()
    journal.retry()
    journal.append(admitted("after", 1.0), nothing)
    loop.turn()
    assert journal.dropped == 1 + 100 - len(ids(tmp_path)[:-1])
    assert ids(tmp_path)[-2:] == ["99", "after"]
    newest = [*decode(segments(tmp_path, "g1")[0].read_bytes().splitlines())]
    assert newest == [Snapshot(2.0, (), ()), admitted("after", 1.0)]


def test_retry_takes_this_turn_along(open_journal: Open, loop: Any, tmp_path: Path) -> None:
    """After a retry between an append and its turn, each segment still starts with its snapshot."""
    journal = open_journal(segment_bytes=1)
    draft = tmp_path / "g1-000001.draft"
    draft.mkdir()
    journal.append(admitted("x", 1.0), nothing)
    loop.turn()
    draft.rmdir()
    journal.append(admitted("y", 1.0), nothing)
    journal.retry()
    loop.turn()
    journal.append(admitted("z", 1.0), nothing)
    loop.turn()
    firsts = [path.read_bytes()[:12] for path in segments(tmp_path, "g1")]
    assert (ids(tmp_path), firsts) == (["x", "y", "z"], [b'["snapshot",'] * 2)


def test_figures_are_counted(open_journal: Open, loop: Any, tmp_path: Path) -> None:
    """The metrics match the records and bytes in the files."""
    journal = open_journal()
    journal.append(admitted("x", 1.0), nothing)
    loop.turn()
    assert journal.records == len(on_disk(tmp_path)) == 2
    assert journal.bytes == segments(tmp_path, "g1")[0].stat().st_size
