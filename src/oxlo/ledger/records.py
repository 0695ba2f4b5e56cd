"""The journal's records: one line for each admission, outcome and refusal.

Lines are JSON arrays whose first item is the record's type. They are short to write and easy to
read, and a truncated last line (after a power failure) is simply invalid JSON.
"""

import msgspec


class Admitted(msgspec.Struct, frozen=True, array_like=True, tag="admitted"):
    """A call was admitted: one request is reserved in the given windows."""

    id: str
    at: float
    account: str
    key: str
    plan: str
    model: str
    endpoint: str
    stream: bool
    #: The UTC day and minute charged: unix seconds // 86400 and // 60.
    day: int
    minute: int


class Settled(msgspec.Struct, frozen=True, array_like=True, tag="settled"):
    """An admitted call's outcome; it repeats the admission, so that it can be read alone."""

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
    #: HTTP status sent to the client, or 499 if it had disconnected.
    status: int
    #: answered, failed, abandoned (client disconnected after the engine started), cancelled
    #: (before), timed_out, refused (after admission: queue full), lost (the gateway died).
    outcome: str
    #: Whether it counts against the day. The minute is refunded only if `minute_counted` is false.
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
    #: Requests left after this call; -1: no limit.
    day_left: int
    minute_left: int
    #: The client's W3C `traceparent`, or "".
    trace: str = ""
    #: Models of the fallback chain that did not answer, and why: `big=queue_full, other=...`.
    tried: str = ""


class Refused(msgspec.Struct, frozen=True, array_like=True, tag="refused"):
    """A call of a known account was refused before admission, so nothing was reserved."""

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
    """The counts at the start of a segment, so that a restart reads only the newest segment."""

    at: float
    #: (account, day, requests counted on it, minute, requests counted in it, abandoned refunds).
    counts: tuple[tuple[str, int, int, int, int, int], ...]
    #: Calls admitted earlier and not settled yet.
    open: tuple[Admitted, ...]


Record = Admitted | Settled | Refused | Snapshot
