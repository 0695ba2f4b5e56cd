"""What the journal holds: one line for each admission, outcome and refusal.

The lines are JSON arrays whose first item says which record it is: short to write, easy to read
back, and a torn last line (the machine lost power) is simply not JSON.
"""

import msgspec


class Admitted(msgspec.Struct, frozen=True, array_like=True, tag="admitted"):
    """A call was admitted: one request is reserved in the windows named here."""

    id: str
    at: float
    account: str
    key: str
    plan: str
    model: str
    endpoint: str
    stream: bool
    #: UTC day and minute that were charged: unix seconds // 86400 and // 60.
    day: int
    minute: int


class Settled(msgspec.Struct, frozen=True, array_like=True, tag="settled"):
    """How an admitted call ended; it repeats the admission, so it stands alone."""

    id: str
    at: float
    account: str
    key: str
    plan: str
    model: str
    endpoint: str
    stream: bool
    day: int
    minute: int
    #: HTTP status that the client was sent, or 499 when it had gone.
    status: int
    #: answered, failed, abandoned (client gone after the engine started), cancelled (before),
    #: timed_out, refused (after admission: queue full), lost (the gateway died).
    outcome: str
    #: Whether it counts against the day; the minute is given back only when `minute_counted` is no.
    counted: bool
    minute_counted: bool
    #: Error code, or "".
    error: str
    replica: str
    tokens_in: int
    tokens_out: int
    tokens_cached: int
    finish: str
    queue_ms: float
    first_ms: float
    total_ms: float
    #: What was left after this call; -1: no limit.
    day_left: int
    minute_left: int
    #: The caller's W3C `traceparent`, or "".
    trace: str = ""
    #: Models of the caller's chain that did not answer, and why: `big=queue_full, other=...`.
    tried: str = ""


class Refused(msgspec.Struct, frozen=True, array_like=True, tag="refused"):
    """A call of a known account was refused before admission: nothing was reserved."""

    id: str
    at: float
    account: str
    key: str
    plan: str
    model: str
    endpoint: str
    stream: bool
    status: int
    error: str
    day_left: int
    minute_left: int
    trace: str = ""
    tried: str = ""


class Snapshot(msgspec.Struct, frozen=True, array_like=True, tag="snapshot"):
    """The counts at the start of a segment, so that a restart reads only the newest one."""

    at: float
    #: (account, day, requests counted on it, minute, requests counted in it, abandoned refunds).
    counts: tuple[tuple[str, int, int, int, int, int], ...]
    #: Calls that were admitted earlier and have not been settled.
    open: tuple[Admitted, ...]


Record = Admitted | Settled | Refused | Snapshot
