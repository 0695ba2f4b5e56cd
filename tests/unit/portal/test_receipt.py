"""Phases of a receipt."""

import msgspec
import pytest

from oxlo.portal.charts import Phase
from oxlo.portal.dashboard.receipt import phases_of
from oxlo.store.calls import Call

CALL = Call(
    id="req_1",
    account_id="acct_1",
    key_id="key_1",
    plan="pro",
    model="double",
    endpoint="chat",
    stream=True,
    admitted_at=1.0,
    day=0,
    minute=0,
    outcome="answered",
    tokens_out=4,
    queue_ms=5.0,
    first_ms=25.0,
    total_ms=100.0,
)


@pytest.mark.parametrize(
    ("changes", "phases"),
    [
        ({}, [("Queue", 5.0), ("First token", 20.0), ("Generation", 75.0)]),
        ({"tokens_out": 0}, [("Queue", 5.0), ("First part", 20.0), ("Generation", 75.0)]),
        ({"stream": False}, [("Queue", 5.0), ("Engine", 95.0)]),
        ({"first_ms": 0.0}, [("Queue", 5.0), ("Engine", 95.0)]),
        ({"outcome": "running"}, []),
    ],
)
def test_phases(changes: dict[str, object], phases: list[tuple[str, float]]) -> None:
    """Streams have a first part; other requests only engine time."""
    assert phases_of(msgspec.structs.replace(CALL, **changes)) == [Phase(*one) for one in phases]
