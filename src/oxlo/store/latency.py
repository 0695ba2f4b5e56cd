"""Latency of an account's calls, by hour or day."""

from typing import Literal

import msgspec
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from oxlo.store import percentiles
from oxlo.store.percentiles import Spread
from oxlo.store.schema import calls
from oxlo.store.usage import GROUPS

Step = Literal["hour", "day"]


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """The answered calls of one hour or day; `begin` is in unix seconds."""

    at: int
    requests: int
    #: Time to first token of streams; None without streams.
    first_ms: Spread | None
    #: Total duration.
    total_ms: Spread


async def by_time(
    db: AsyncConnection, account_id: str, begin: float, end: float, step: Step, model: str = ""
) -> list[Moment]:
    """Hours or days of [begin, end) with answered calls, oldest first; model "": all."""
    mine = _mine(account_id, begin, end, model)
    at, first, total = GROUPS[step], calls.c.first_ms, calls.c.total_ms
    streams = await percentiles.spreads(db, at, first, *mine, calls.c.stream, first > 0)
    whole = await percentiles.spreads(db, at, total, *mine)
    counted = select(at, func.count()).where(*mine, calls.c.outcome == "answered").group_by(at)
    numbers = {row[0]: int(row[1]) for row in await db.execute(counted)}
    return [
        Moment(at=int(key), requests=numbers[key], first_ms=streams.get(key), total_ms=whole[key])
        for key in sorted(whole)
    ]


def _mine(account_id: str, begin: float, end: float, model: str) -> tuple[ColumnElement[bool], ...]:
    of_time = (calls.c.admitted_at >= begin, calls.c.admitted_at < end)
    of_model = (calls.c.model == model,) if model else ()
    return calls.c.account_id == account_id, *of_time, *of_model
