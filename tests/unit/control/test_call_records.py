"""Merging records to calls."""

import itertools

import msgspec

from oxlo.control import call_records
from oxlo.control.segments import CallRecord
from oxlo.testing import journal


def test_any_order_gives_the_outcome() -> None:
    """The outcome wins, however the records are ordered or repeated."""
    records: list[CallRecord] = [journal.admitted("r"), journal.settled("r")]
    records += records[:1]
    for order in itertools.permutations(records):
        (call,) = call_records.calls(order)
        assert (call.outcome, call.admitted_at, call.settled_at) == (
            "answered",
            journal.AT,
            journal.AT + 2,
        )


def test_admission_alone_runs() -> None:
    """A call without an outcome is running, and has not counted yet."""
    (call,) = call_records.calls([journal.admitted("r")])
    assert (call.outcome, call.counted, call.settled_at) == ("running", False, None)


def test_outcome_alone_estimates_its_start() -> None:
    """Without an admission, the start follows from the duration."""
    (call,) = call_records.calls([journal.settled("r")])
    assert call.admitted_at == journal.AT


def test_no_limit_is_none() -> None:
    """-1 in a record means that there is no limit."""
    (call,) = call_records.calls([journal.settled("r")])
    assert (call.day_left, call.minute_left) == (59, None)


def test_refusals_never_count() -> None:
    """A refused call belongs to its day, and is not counted."""
    (call,) = call_records.calls([journal.refused("r")])
    assert (call.outcome, call.status, call.day) == ("refused", 429, journal.DAY)
    assert not call.counted
    assert not call.minute_counted


def test_last_use_is_the_latest() -> None:
    """A key's last use is the time of its latest record."""
    records: list[CallRecord] = [journal.settled("r"), journal.admitted("r")]
    assert call_records.last_used(records) == {"key_1": journal.AT + 2}


def test_names_that_sql_cannot_hold() -> None:
    """Model names from clients are truncated, and NUL is replaced."""
    (call,) = call_records.calls([journal.refused("r", model="a\0b" + "x" * 500)])
    assert call.model.startswith("a\ufffdb")
    assert len(call.model) == 200


def test_finish_reasons_that_sql_cannot_hold() -> None:
    """A remote engine's finish reason is any text; one that SQL rejects would stop the drain."""
    record = msgspec.structs.replace(journal.settled("r"), finish="\0" + "x" * 500)
    (call,) = call_records.calls([record])
    assert call.finish.startswith("\ufffdx")
    assert len(call.finish) == 200
