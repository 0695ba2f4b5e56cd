"""Parsing journal segments."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oxlo.control import segments
from oxlo.ledger.records import Admitted
from oxlo.testing import journal

THREE = (journal.admitted("req_1"), journal.settled("req_1"), journal.refused("req_2"))


def test_whole_lines_are_records() -> None:
    """Every complete line is parsed, except snapshots."""
    data = journal.lines(journal.SNAPSHOT, *THREE)
    parsed = segments.parse(data)
    assert parsed.records == list(THREE)
    assert parsed.used == len(data)


@given(cut=st.integers(min_value=0, max_value=len(journal.lines(*THREE))))
def test_torn_anywhere(cut: int) -> None:
    """Cut at any byte, both parts together yield each record once."""
    data = journal.lines(*THREE)
    first = segments.parse(data[:cut])
    rest = segments.parse(data[first.used :])
    assert first.records + rest.records == list(THREE)
    assert first.garbage == rest.garbage == []


@pytest.mark.parametrize("garbage", [b"", b"\xff\xfe", b"{}", b'["admitted",1]', b'["nobody"]'])
def test_garbage_is_passed_over(garbage: bytes) -> None:
    """An invalid line is reported by its offset, and the next one is parsed."""
    before = journal.lines(THREE[0])
    parsed = segments.parse(before + garbage + b"\n" + journal.lines(THREE[1]))
    assert parsed.records == list(THREE[:2])
    assert parsed.garbage == [len(before)]


def test_long_lines_are_read_whole(tmp_path: Path) -> None:
    """A line longer than a chunk is read completely."""
    file = tmp_path / "gw-000001.jsonl"
    file.write_bytes(b"x" * (2 * segments.CHUNK) + b"\nmore")
    assert len(segments.read(file, 0)) == 2 * segments.CHUNK + 1


def test_names_with_dashes(tmp_path: Path) -> None:
    """The gateway's name may contain dashes; other files are ignored."""
    for name in ("gw-a-000002.jsonl", "gw-a-000001.jsonl", "b-000009.jsonl", "x-notes.jsonl", "y"):
        (tmp_path / name).touch()
    listed = segments.listed(tmp_path)
    assert [(s.gateway, s.number) for s in listed] == [("b", 9), ("gw-a", 1), ("gw-a", 2)]
    assert segments.newest(listed) == {"b-000009.jsonl", "gw-a-000002.jsonl"}


def test_search_over_segments(tmp_path: Path) -> None:
    """The records of a call are found in all segments, torn lines aside."""
    torn = b'["settled","req_1"'
    (tmp_path / "a-000001.jsonl").write_bytes(journal.lines(THREE[0], THREE[2]) + torn)
    (tmp_path / "a-000002.jsonl").write_bytes(journal.lines(THREE[1]) + torn)
    found = segments.search(tmp_path, b"req_1")
    assert found == [THREE[0], THREE[1]]
    assert isinstance(found[0], Admitted)
