"""`GET /v1/usage`: what an account called, added up. It costs nothing and shows no prompt."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from oxlo.control import replies
from oxlo.control.context import Control
from oxlo.control.requests import asking
from oxlo.errors import BadRequest
from oxlo.ledger.windows import DAY, iso
from oxlo.store import grants, usage
from oxlo.store.grants import Grant
from oxlo.store.usage import BY, By, Group, Sums

#: The last days are shown when nobody says which.
DEFAULT_DAYS = 30
#: Rows of a reply: the hours of three months.
_MOST_HOURS_DAYS = 92
_TIMES = ("day", "hour")


class Period(msgspec.Struct, frozen=True):
    """From a moment to another, the second not included; unix seconds."""

    begin: float
    end: float


async def endpoint(request: Request) -> Response:
    """Answer for the account that asks, and for no other. Raises BadRequest."""
    account = asking(request)
    control = Control.of(request)
    asked = period(request.query_params, control.clock())
    by = grouping(request.query_params.get("by", "day"))
    if "hour" in by and asked.end - asked.begin > _MOST_HOURS_DAYS * DAY:
        raise BadRequest(f"By hour, ask for at most {_MOST_HOURS_DAYS} days.", param="from")
    await control.drain.run()
    async with control.database.read() as db:
        groups = await usage.added_up(db, account, asked.begin, asked.end, by)
        (total,) = await usage.added_up(db, account, asked.begin, asked.end, ())
        days = int(asked.begin // DAY), math.ceil(asked.end / DAY)
        given = await grants.between(db, account, *days)
    return replies.json(_shown(asked, by, groups, total.sums) | {"grants": _given(given)})


def period(query: Mapping[str, str], now: float) -> Period:
    """The period that a query asks for; without one the last 30 UTC days, today included."""
    tomorrow = (now // DAY + 1) * DAY
    end = _moment(query, "to", tomorrow)
    begin = _moment(query, "from", end - DEFAULT_DAYS * DAY)
    if begin >= end:
        raise BadRequest("'from' has to be before 'to'.", param="from")
    return Period(begin, end)


def _moment(query: Mapping[str, str], name: str, default: float) -> float:
    given = query.get(name)
    if given is None:
        return default
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        raise BadRequest(
            f"'{name}' takes a date such as 2026-11-24, or a moment such as 2026-11-24T12:00:00Z.",
            param=name,
        ) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def grouping(text: str) -> tuple[By, ...]:
    """The names in a comma-separated list. Raises BadRequest."""
    names = [name.strip() for name in text.split(",")]
    chosen = tuple(name for name in BY if name in names)
    if len(chosen) != len(names):
        raise BadRequest(f"'by' takes one or more of {', '.join(BY)}.", param="by")
    return chosen


def _shown(
    asked: Period, by: Sequence[By], groups: Sequence[Group], total: Sums
) -> dict[str, object]:
    return {
        "object": "usage",
        "from": iso(asked.begin),
        "to": iso(asked.end),
        "by": list(by),
        "data": [_row(by, group) for group in groups],
        "total": total,
    }


def _given(given: Sequence[Grant]) -> list[dict[str, Any]]:
    """What an operator gave the account in these days, and why."""
    return [
        {
            "id": grant.id,
            "day": iso(grant.day * DAY),
            "requests": grant.requests,
            "reason": grant.reason,
            "request": grant.request_id,
            "created": iso(grant.created_at),
        }
        for grant in given
    ]


def _row(by: Sequence[By], group: Group) -> dict[str, Any]:
    named = {
        name: iso(value) if name in _TIMES else value
        for name, value in zip(by, group.key, strict=True)
    }
    return named | msgspec.structs.asdict(group.sums)
