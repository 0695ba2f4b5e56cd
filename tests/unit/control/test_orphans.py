"""Journals of gateways that no longer run."""

import fcntl
import os
from pathlib import Path

from oxlo.control import orphans, segments
from oxlo.ledger.records import Settled, Snapshot
from oxlo.testing import journal

LATER = 2_000_000_000.0


def left_behind(folder: Path, gateway: str = "g3") -> Path:
    """The journal of a gateway that died with one call open and one answered."""
    (folder / f"{gateway}.lock").touch()
    path = folder / f"{gateway}-000001.jsonl"
    records = [
        Snapshot(0.0, (), ()),
        journal.admitted("req_answered"),
        journal.admitted("req_open"),
        journal.settled("req_answered"),
    ]
    journal.append(path, journal.lines(*records))
    return path


def outcomes(path: Path) -> dict[str, str]:
    found = segments.parse(path.read_bytes()).records
    return {record.id: record.outcome for record in found if isinstance(record, Settled)}


def test_open_calls_are_ended(tmp_path: Path) -> None:
    """Open calls are ended as lost and not counted; a second run finds none."""
    path = left_behind(tmp_path)
    assert orphans.adopt(tmp_path, LATER, {}) == 1
    assert outcomes(path) == {"req_answered": "answered", "req_open": "lost"}
    assert orphans.adopt(tmp_path, LATER, {}) == 0


def test_running_gateway_is_left_alone(tmp_path: Path) -> None:
    """A journal that is locked by its gateway is skipped."""
    path = left_behind(tmp_path)
    fd = os.open(tmp_path / "g3.lock", os.O_RDWR)
    fcntl.flock(fd, fcntl.LOCK_EX)
    assert orphans.adopt(tmp_path, LATER, {}) == 0
    assert "req_open" not in outcomes(path)
    os.close(fd)


def test_gateway_may_come_back(tmp_path: Path) -> None:
    """A gateway that has just died has a minute to restart."""
    path = left_behind(tmp_path)
    written = path.stat().st_mtime
    assert orphans.adopt(tmp_path, written + 59, {}) == 0
    assert orphans.adopt(tmp_path, written + 61, {}) == 1


def test_torn_line_is_closed(tmp_path: Path) -> None:
    """A record is appended on a new line after an incomplete one."""
    path = left_behind(tmp_path)
    with path.open("ab") as file:
        file.write(b'["admitted","req_to')
    assert orphans.adopt(tmp_path, LATER, {}) == 1
    assert outcomes(path)["req_open"] == "lost"


def test_journals_without_open_calls_are_read_once(tmp_path: Path) -> None:
    """A journal is read again only after it has changed."""
    path = left_behind(tmp_path)
    checked: dict[str, int] = {}
    assert orphans.adopt(tmp_path, LATER, checked) == 1
    assert checked == {}
    assert orphans.adopt(tmp_path, LATER, checked) == 0
    assert checked == {path.name: path.stat().st_size}
    journal.append(path, journal.lines(journal.admitted("req_new")))
    assert orphans.adopt(tmp_path, LATER, checked) == 1
