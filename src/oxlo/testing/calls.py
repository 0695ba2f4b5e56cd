"""Journal records of calls that never were, for tests."""

from oxlo.ledger.records import Admitted, Settled
from oxlo.ledger.windows import day_of, minute_of


def admitted(call: str, at: float, account: str = "a") -> Admitted:
    """An admission at this moment, charged to its day and minute."""
    return Admitted(
        call,
        at,
        account,
        "key_1",
        "pro",
        "m",
        "chat",
        stream=False,
        day=day_of(at),
        minute=minute_of(at),
    )


def settled(
    admission: Admitted,
    at: float,
    *,
    outcome: str = "answered",
    counted: bool = True,
    minute_counted: bool = True,
) -> Settled:
    """The end of an admitted call."""
    return Settled(
        admission.id,
        at,
        admission.account,
        admission.key,
        admission.plan,
        admission.model,
        admission.endpoint,
        admission.stream,
        admission.day,
        admission.minute,
        200 if outcome == "answered" else 500,
        outcome,
        counted,
        minute_counted,
        "",
        "r1",
        10,
        20,
        0,
        "stop",
        0.1,
        12.5,
        100.25,
        -1,
        -1,
    )
