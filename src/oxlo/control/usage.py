"""`GET /v1/usage`: an account's aggregated usage. The request is free and not counted."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from oxlo.control import replies
from oxlo.control.context import Control
from oxlo.control.requests import authenticated
from oxlo.errors import BadRequest
from oxlo.ledger.windows import DAY, iso
from oxlo.store import grants, usage
from oxlo.store.grants import Grant
from oxlo.store.usage import BY, By, Group, Sums

#: Length of the default period.
DEFAULT_DAYS = 30
#: The longest period that may be grouped by hour: it bounds the rows of a response.
_MAX_DAYS_BY_HOUR = 92
_TIMES = ("day", "hour")
#: The year 9999: a later time may have no date in UTC.
_LATEST = 253_370_764_800.0


class Period(msgspec.Struct, frozen=True):
    """A half-open period, in unix seconds; `end` is excluded."""

    begin: float
    end: float


async def endpoint(request: Request) -> Response:
    """Answer with the authenticated account's usage. Raises BadRequest."""
    account = authenticated(request)
    control = Control.of(request)
    window = period(request.query_params, control.clock())
    by = grouping(request.query_params.get("by", "day"))
    if "hour" in by and window.end - window.begin > _MAX_DAYS_BY_HOUR * DAY:
        raise BadRequest(f"By hour, ask for at most {_MAX_DAYS_BY_HOUR} days.", param="from")
    await control.drain.run()
    async with control.database.read() as db:
        groups = await usage.added_up(db, account, window.begin, window.end, by)
        (total,) = await usage.added_up(db, account, window.begin, window.end, ())
        days = int(window.begin // DAY), math.ceil(window.end / DAY)
        granted = await grants.between(db, account, *days)
    return replies.json(_shown(window, by, groups, total.sums) | {"grants": _grants(granted)})


def period(query: Mapping[str, str], now: float) -> Period:
    """Parse the period of a query; defaults to the last 30 UTC days, today included."""
    tomorrow = (now // DAY + 1) * DAY
    end = _timestamp(query, "to", tomorrow)
    begin = _timestamp(query, "from", max(0.0, end - DEFAULT_DAYS * DAY))
    if begin >= end:
        raise BadRequest("'from' has to be before 'to'.", param="from")
    return Period(begin, end)


def _timestamp(query: Mapping[str, str], name: str, default: float) -> float:
    text = query.get(name)
    if text is None:
        return default
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = datetime.min.replace(tzinfo=UTC)  # refused below, as any time out of range
    timestamp = (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    if not 0 <= timestamp < _LATEST:
        raise BadRequest(
            f"'{name}' takes a date such as 2026-11-24, or a time such as 2026-11-24T12:00:00Z.",
            param=name,
        )
    return timestamp


def grouping(text: str) -> tuple[By, ...]:
    """Parse a comma-separated list of dimensions. Raises BadRequest."""
    names = [name.strip() for name in text.split(",")]
    chosen = tuple(name for name in BY if name in names)
    if len(chosen) != len(names):
        raise BadRequest(f"'by' takes one or more of {', '.join(BY)}.", param="by")
    return chosen


def _shown(
    window: Period, by: Sequence[By], groups: Sequence[Group], total: Sums
) -> dict[str, object]:
    return {
        "object": "usage",
        "from": iso(window.begin),
        "to": iso(window.end),
        "by": list(by),
        "data": [_row(by, group) for group in groups],
        "total": total,
    }


def _grants(granted: Sequence[Grant]) -> list[dict[str, Any]]:
    """Grants by an operator in the period, with their reasons."""
    return [
        {
            "id": grant.id,
            "day": iso(grant.day * DAY),
            "requests": grant.requests,
            "reason": grant.reason,
            "request": grant.request_id,
            "created": iso(grant.created_at),
        }
        for grant in granted
    ]


def _row(by: Sequence[By], group: Group) -> dict[str, Any]:
    named = {
        name: iso(value) if name in _TIMES else value
        for name, value in zip(by, group.key, strict=True)
    }
    return named | msgspec.structs.asdict(group.sums)
