"""Factories of plausible journal records, for tests of journal readers."""

from pathlib import Path

import msgspec

from oxlo.ledger.records import Admitted, Refused, Settled, Snapshot
from oxlo.ledger.windows import day_of, minute_of

DAY = 20_833
AT = DAY * 86400 + 36_000.0


def admitted(call: str, at: float = AT, account: str = "acct_1", *, key: str = "key_1") -> Admitted:
    """An admitted call, charged to its day and minute."""
    return Admitted(
        id=call,
        at=at,
        account=account,
        key=key,
        plan="free",
        model="m",
        endpoint="chat",
        stream=True,
        day=day_of(at),
        minute=minute_of(at),
    )


def ended(
    call: Admitted,
    at: float,
    *,
    outcome: str = "answered",
    counted: bool = True,
    minute_counted: bool = True,
) -> Settled:
    """The end of an admitted call."""
    start = msgspec.structs.asdict(call) | {"at": at}
    return Settled(
        **start,
        status=200 if outcome == "answered" else 500,
        outcome=outcome,
        counted=counted,
        minute_counted=minute_counted,
        error="",
        replica="m-1",
        tokens_in=11,
        tokens_out=5,
        tokens_cached=3,
        finish="stop",
        queue_ms=1.5,
        first_ms=20.0,
        total_ms=2000.0,
        day_left=59,
        minute_left=-1,
    )


def settled(
    call: str, *, at: float = AT + 2, account: str = "acct_1", key: str = "key_1"
) -> Settled:
    """An answered and counted call."""
    return ended(admitted(call, account=account, key=key), at)


def refused(call: str, *, model: str = "m") -> Refused:
    """A refused call."""
    return Refused(
        id=call,
        at=AT,
        account="acct_1",
        key="key_1",
        plan="free",
        model=model,
        endpoint="chat",
        stream=False,
        status=429,
        error="daily_limit_exceeded",
        day_left=0,
        minute_left=3,
    )


SNAPSHOT = Snapshot(at=AT, counts=(("acct_1", DAY, 1, DAY * 1440, 1, 0),), open=())


def lines(*records: object) -> bytes:
    """Encode records as lines of a journal."""
    return b"".join(msgspec.json.encode(record) + b"\n" for record in records)


def append(path: Path, data: bytes) -> None:
    """Append bytes to a segment."""
    with path.open("ab") as file:
        file.write(data)
