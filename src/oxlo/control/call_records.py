"""Merging journal records to calls, one per request id, in any order."""

from collections.abc import Iterable

from oxlo.control.segments import CallRecord
from oxlo.ledger.records import Admitted, Refused, Settled
from oxlo.store.calls import Call

_TEXT_MAX = 200
#: Maximum of an SQL integer column.
_NUMBER_MAX = (1 << 31) - 1


def calls(records: Iterable[CallRecord]) -> list[Call]:
    """The latest state of each call; an admission never replaces an outcome."""
    admitted: dict[str, Admitted] = {}
    ended: dict[str, Settled | Refused] = {}
    for record in records:
        if isinstance(record, Admitted):
            admitted[record.id] = record
        else:
            ended[record.id] = record
    running = [_running(record) for record in admitted.values() if record.id not in ended]
    return running + [_ended(record, admitted.get(record.id)) for record in ended.values()]


def last_used(records: Iterable[CallRecord]) -> dict[str, float]:
    """When each key was last used, in unix seconds."""
    used: dict[str, float] = {}
    for record in records:
        used[record.key] = max(record.at, used.get(record.key, 0.0))
    return used


def _running(record: Admitted) -> Call:
    return Call(
        id=record.id,
        account_id=record.account,
        key_id=record.key,
        plan=record.plan,
        model=_clean(record.model),
        endpoint=record.endpoint,
        stream=record.stream,
        admitted_at=record.at,
        day=record.day,
        minute=record.minute,
    )


def _ended(record: Settled | Refused, admitted: Admitted | None) -> Call:
    return _refused(record) if isinstance(record, Refused) else _settled(record, admitted)


def _settled(record: Settled, admitted: Admitted | None) -> Call:
    return Call(
        id=record.id,
        account_id=record.account,
        key_id=record.key,
        plan=record.plan,
        model=_clean(record.model),
        endpoint=record.endpoint,
        stream=record.stream,
        admitted_at=admitted.at if admitted else record.at - record.total_ms / 1000,
        settled_at=record.at,
        day=record.day,
        minute=record.minute,
        status=record.status,
        outcome=record.outcome,
        counted=record.counted,
        minute_counted=record.minute_counted,
        error=record.error,
        replica=record.replica,
        tokens_in=_held(record.tokens_in),
        tokens_out=_held(record.tokens_out),
        tokens_cached=_held(record.tokens_cached),
        finish=_clean(record.finish),
        queue_ms=record.queue_ms,
        first_ms=record.first_ms,
        total_ms=record.total_ms,
        day_left=_left(record.day_left),
        minute_left=_left(record.minute_left),
        tried=record.tried,
    )


def _refused(record: Refused) -> Call:
    return Call(
        id=record.id,
        account_id=record.account,
        key_id=record.key,
        plan=record.plan,
        model=_clean(record.model),
        endpoint=record.endpoint,
        stream=record.stream,
        admitted_at=record.at,
        settled_at=record.at,
        day=int(record.at // 86400),
        minute=int(record.at // 60),
        status=record.status,
        outcome="refused",
        error=record.error,
        day_left=_left(record.day_left),
        minute_left=_left(record.minute_left),
        tried=record.tried,
    )


def _left(count: int) -> int | None:
    return None if count < 0 else _held(count)


# The rest makes every row valid: one that SQL refuses would block all that follow.


def _held(count: int) -> int:
    # Token counts come from engines, which are not trusted.
    return min(count, _NUMBER_MAX)


def _clean(text: str) -> str:
    # Names of unknown models come from clients, finish reasons from remote engines: both are any
    # text, and PostgreSQL rejects NUL.
    return text[:_TEXT_MAX].replace("\0", "\ufffd")
