"""Aggregating an account's calls, by time or by their properties."""

from collections.abc import Sequence
from typing import Any, Literal, get_args

import msgspec
from sqlalchemy import ColumnElement, case, func, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from oxlo.ledger.windows import DAY, MINUTE
from oxlo.store.calls import RUNNING
from oxlo.store.schema import calls

#: What calls can be grouped by. Days and hours are UTC, as the unix second at which they begin.
By = Literal["day", "hour", "model", "endpoint", "key", "outcome"]
BY: tuple[By, ...] = get_args(By)

_HOUR = 3600
#: The column of each.
GROUPS: dict[By, ColumnElement[Any]] = {
    "day": calls.c.day * DAY,
    "hour": calls.c.minute // (_HOUR // MINUTE) * _HOUR,
    "model": calls.c.model,
    "endpoint": calls.c.endpoint,
    "key": calls.c.key_id,
    "outcome": calls.c.outcome,
}


class Sums(msgspec.Struct, frozen=True, kw_only=True):
    """The sums of one group; `requests` is the number of ended calls."""

    requests: int
    counted: int
    not_counted: int
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    #: Milliseconds; None if no call was answered.
    mean_first_ms: float | None
    mean_total_ms: float | None


class Group(msgspec.Struct, frozen=True):
    """The values by which calls are grouped, and their sums."""

    key: tuple[Any, ...]
    sums: Sums


async def added_up(
    db: AsyncConnection, account_id: str, begin: float, end: float, by: Sequence[By]
) -> list[Group]:
    """Aggregate an account's calls admitted in [begin, end), unix seconds; ordered by group."""
    groups = [GROUPS[name].label(name) for name in by]
    query = select(*groups, *_SUMS).where(*_ended(account_id, begin, end))
    if groups:
        query = query.group_by(*groups).order_by(*groups)
    rows = (await db.execute(query)).all()
    return [Group(tuple(row[: len(by)]), _sums(row[len(by) :])) for row in rows]


def _ended(account_id: str, begin: float, end: float) -> tuple[ColumnElement[bool], ...]:
    mine = calls.c.account_id == account_id
    return mine, calls.c.admitted_at >= begin, calls.c.admitted_at < end, calls.c.outcome != RUNNING


_ANSWERED = calls.c.outcome == "answered"
_SUMS = (
    func.count(),
    func.sum(case((calls.c.counted, 1), else_=0)),
    func.sum(calls.c.tokens_in),
    func.sum(calls.c.tokens_out),
    func.sum(calls.c.tokens_cached),
    func.avg(case((_ANSWERED, calls.c.first_ms), else_=literal(None))),
    func.avg(case((_ANSWERED, calls.c.total_ms), else_=literal(None))),
)


def _sums(row: Sequence[Any]) -> Sums:
    requests, counted = row[0], int(row[1] or 0)
    return Sums(
        requests=requests,
        counted=counted,
        not_counted=requests - counted,
        prompt_tokens=int(row[2] or 0),
        completion_tokens=int(row[3] or 0),
        cached_tokens=int(row[4] or 0),
        mean_first_ms=_rounded(row[5]),
        mean_total_ms=_rounded(row[6]),
    )


def _rounded(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else round(float(milliseconds), 1)
