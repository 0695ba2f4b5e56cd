"""Latency: medians and 95th percentiles of an account's calls, as lines, as a table and as CSV."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from oxlo.errors import BadRequest
from oxlo.ledger.windows import DAY, iso
from oxlo.portal import charts, guard
from oxlo.portal.charts import Line
from oxlo.portal.dashboard import csvs
from oxlo.portal.dashboard.periods import MOST_HOURLY, PERIODS, bounds
from oxlo.portal.dashboard.usage import tabs
from oxlo.portal.desk import Desk
from oxlo.portal.words import count, milliseconds
from oxlo.store import latency, usage
from oxlo.store.latency import Moment, Step
from oxlo.store.percentiles import Spread

PATH = "/dashboard/latency"
STEPS: Mapping[Step, str] = {"day": "Day", "hour": "Hour"}
_SECONDS: Mapping[Step, int] = {"day": DAY, "hour": 3600}
_COLUMNS = (
    ("", ""),
    ("Answered", "num"),
    ("First token p50", "num"),
    ("First token p95", "num"),
    ("Answer p50", "num"),
    ("Answer p95", "num"),
)
_HEADER = ("answered", "first_ms_p50", "first_ms_p95", "total_ms_p50", "total_ms_p95")
#: Per cent of a chart, right of the lines: only `p50` and `p95` stand there.
_NAMES = 10.0


class Asked(NamedTuple):
    """What the address asks for."""

    model: str
    step: Step
    days: str
    #: Unix seconds, the second not included.
    begin: float
    end: float

    def query(self, **other: str) -> str:
        """The same as an address."""
        kept = {"model": self.model, "by": self.step, "days": self.days} | other
        return urlencode({name: value for name, value in kept.items() if value})


async def page(request: Request) -> Response:
    """Lines, and their table."""
    desk, account, asked = Desk.of(request), guard.account(request), _asked(request)
    moments = await _moments(request, asked)
    async with desk.site.database.read() as db:
        models = await usage.added_up(db, account.id, 0, desk.now + 1, ("model",))
    context: dict[str, Any] = {
        "tabs": tabs(asked.step, asked.days, latency=True),
        "periods": [
            (f"{PATH}?{asked.query(days=days)}", name, days == asked.days)
            for days, name in PERIODS.items()
        ],
        "asked": asked,
        "models": sorted({str(group.key[0]) for group in models}),
        "steps": STEPS,
        "charts": _charts(asked, moments),
        "columns": ((STEPS[asked.step], ""), *_COLUMNS[1:]),
        "rows": [_row(asked, moment) for moment in reversed(moments)],
        "csv": f"/dashboard/latency.csv?{asked.query()}",
    }
    return guard.respond(request, "dashboard/latency.html", context)


async def download(request: Request) -> Response:
    """The table as CSV."""
    asked = _asked(request)
    rows = [
        [iso(one.at), one.requests, *_pair(one.first_ms), *_pair(one.total_ms)]
        for one in await _moments(request, asked)
    ]
    return csvs.reply(f"latency-by-{asked.step}.csv", (asked.step, *_HEADER), rows)


def _asked(request: Request) -> Asked:
    query = request.query_params
    days = query.get("days", "30")
    step = query.get("by", "hour" if days == "1" else "day")
    if step not in STEPS or days not in PERIODS:
        raise BadRequest("'by' and 'days' take the values that the tabs on the page have.")
    if step == "hour" and int(days) > MOST_HOURLY:
        days = str(MOST_HOURLY)
    begin, end = bounds(int(days), Desk.of(request).now)
    return Asked(query.get("model", "")[:200], step, days, begin, end)  # type: ignore[arg-type]


async def _moments(request: Request, asked: Asked) -> list[Moment]:
    desk, account = Desk.of(request), guard.account(request)
    await desk.live.drain()
    async with desk.site.database.read() as db:
        return await latency.by_time(
            db, account.id, asked.begin, asked.end, asked.step, asked.model
        )


def _charts(asked: Asked, moments: Sequence[Moment]) -> list[tuple[str, object]]:
    """Two, each on its own scale: the first token and the whole answer, where there are any."""
    known = {moment.at: moment for moment in moments}
    times = range(int(asked.begin), int(asked.end), _SECONDS[asked.step])
    whose = asked.model or "every model"
    span = f"{whose}, {PERIODS[asked.days].lower()} by {asked.step}, UTC"
    named: list[tuple[str, Callable[[Moment], Spread | None]]] = [
        (f"First token of streams, {span}", lambda moment: moment.first_ms),
        (f"Whole answer, {span}", lambda moment: moment.total_ms),
    ]
    return [
        (title, _chart(asked, title, times, {at: of(one) for at, one in known.items()}))
        for title, of in named
        if any(of(one) for one in moments)
    ]


def _chart(asked: Asked, title: str, times: range, known: Mapping[int, Spread | None]) -> object:
    spreads = [known.get(at) for at in times]
    drawn = [
        Line("p50", [one.p50 if one else None for one in spreads]),
        Line("p95", [one.p95 if one else None for one in spreads]),
    ]
    labels = [_label(asked, at) for at in times]
    return charts.lines(title, drawn, labels, write=milliseconds, margin=_NAMES)


def _label(asked: Asked, at: int) -> str:
    moment = datetime.fromtimestamp(at, UTC)
    if asked.step == "day":
        return f"{moment:%b} {moment.day}"
    return f"{moment:%H}:00" if asked.days == "1" else f"{moment:%b} {moment.day} {moment:%H}:00"


def _row(asked: Asked, moment: Moment) -> list[str]:
    figures = (*_pair(moment.first_ms), *_pair(moment.total_ms))
    return [_label(asked, moment.at), count(moment.requests), *map(milliseconds, figures)]


def _pair(spread: Spread | None) -> tuple[float | None, float | None]:
    return (spread.p50, spread.p95) if spread else (None, None)
