"""The content of receipts."""

import msgspec
import pytest

from oxlo.control import call_records, receipts
from oxlo.ledger.records import Settled
from oxlo.testing import journal


def _reason(**changes: object) -> str:
    record: Settled = msgspec.structs.replace(journal.settled("r"), **changes)
    (call,) = call_records.calls([record])
    return receipts.reason(call)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "was answered: it counts as one request."),
        ({"outcome": "failed", "counted": False, "minute_counted": False, "error": "engine_failed"},
         "engine failed (engine_failed): it does not count."),
        ({"outcome": "abandoned", "counted": False}, "only against its minute"),
        ({"outcome": "abandoned"}, "refunds for that are used up"),
        ({"outcome": "lost", "counted": False, "minute_counted": False}, "does not count"),
        ({"outcome": "new_in_2027"}, "ended as new_in_2027: it counts"),
    ],
)  # fmt: skip
def test_reason_says_why(changes: dict[str, object], words: str) -> None:
    """The reason says what happened and whether the call counted."""
    assert words in _reason(**changes)


def test_running_receipt_promises_nothing() -> None:
    """A running call has no status, no timings, and has not counted."""
    (call,) = call_records.calls([journal.admitted("r")])
    receipt = receipts.receipt(call)
    assert (receipt.outcome, receipt.status, receipt.counted) == ("running", None, False)
    assert receipt.timings.total_ms is None
    assert "still running" in receipt.reason


def test_receipt_names_models_that_were_tried() -> None:
    """After a fallback, the models that failed are listed in order, with reasons."""
    record = msgspec.structs.replace(journal.settled("r"), tried="big=queue_full, b=engine_failed")
    (call,) = call_records.calls([record])
    tried = [(each.model, each.error) for each in receipts.receipt(call).tried]
    assert tried == [("big", "queue_full"), ("b", "engine_failed")]


@pytest.mark.parametrize(
    ("outcome", "tokens", "source"),
    [("answered", 5, "engine"), ("abandoned", 5, "pieces"), ("failed", 5, "pieces"),
     ("cancelled", 0, None)],
)  # fmt: skip
def test_receipt_says_who_counted(outcome: str, tokens: int, source: str | None) -> None:
    """Without usage from the engine, the source is the gateway's count of pieces."""
    record = msgspec.structs.replace(
        journal.settled("r"), outcome=outcome, tokens_in=0, tokens_out=tokens
    )
    (call,) = call_records.calls([record])
    assert receipts.receipt(call).usage.source == source


def test_receipt_field_for_field() -> None:
    """The JSON of a receipt, as docs/receipts.md shows it."""
    (call,) = call_records.calls([journal.settled("req_1")])
    assert msgspec.to_builtins(receipts.receipt(call)) == {
        "id": "req_1",
        "object": "request.receipt",
        "created": int(journal.AT),
        "account": "acct_1",
        "key": "key_1",
        "model": "m",
        "endpoint": "chat",
        "stream": True,
        "plan": "free",
        "status": 200,
        "outcome": "answered",
        "counted": True,
        "reason": "The call was answered: it counts as one request.",
        "error": None,
        "replica": "m-1",
        "tried": (),
        "usage": {
            "prompt_tokens": 11,
            "completion_tokens": 5,
            "total_tokens": 16,
            "cached_tokens": 3,
            "source": "engine",
        },
        "finish_reason": "stop",
        "timings": {"queue_ms": 1.5, "first_token_ms": 20.0, "total_ms": 2000.0},
        "limits": {
            "day": {"remaining": 59, "resets_at": "2027-01-16T00:00:00Z"},
            "minute": {"remaining": None, "resets_at": "2027-01-15T10:01:00Z", "counted": True},
        },
        "refund": None,
    }
