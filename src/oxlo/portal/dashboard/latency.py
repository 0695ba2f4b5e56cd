"""Latency: p50 and p95 of an account's requests, as charts, table and CSV."""

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
from oxlo.portal.dashboard.periods import MAX_HOURLY_DAYS, PERIODS, bounds
from oxlo.portal.dashboard.usage import tabs
from oxlo.portal.formats import count, milliseconds
from oxlo.portal.portal import Portal
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
#: Percentage of a chart's width that the names `p50` and `p95` need.
_NAMES = 10.0


class Params(NamedTuple):
    """Parameters of the page."""

    model: str
    step: Step
    days: str
    #: Unix seconds; `end` is exclusive.
    begin: float
    end: float

    def query(self, **other: str) -> str:
        """Encode as a query string; `other` overrides single values."""
        values = {"model": self.model, "by": self.step, "days": self.days} | other
        return urlencode({name: value for name, value in values.items() if value})


async def page(request: Request) -> Response:
    """Charts and their table."""
    portal, account, params = Portal.of(request), guard.account(request), _params(request)
    buckets = await _load(request, params)
    async with portal.site.database.read() as db:
        models = await usage.added_up(db, account.id, 0, portal.now + 1, ("model",))
    context: dict[str, Any] = {
        "tabs": tabs(params.step, params.days, latency=True),
        "periods": [
            (f"{PATH}?{params.query(days=days)}", name, days == params.days)
            for days, name in PERIODS.items()
        ],
        "asked": params,
        "models": sorted({str(group.key[0]) for group in models}),
        "steps": STEPS,
        "charts": _charts(params, buckets),
        "columns": ((STEPS[params.step], ""), *_COLUMNS[1:]),
        "rows": [_row(params, bucket) for bucket in reversed(buckets)],
        "csv": f"/dashboard/latency.csv?{params.query()}",
    }
    return guard.respond(request, "dashboard/latency.html", context)


async def download(request: Request) -> Response:
    """The table as CSV."""
    params = _params(request)
    rows = [
        [iso(one.at), one.requests, *_p50_p95(one.first_ms), *_p50_p95(one.total_ms)]
        for one in await _load(request, params)
    ]
    return csvs.reply(f"latency-by-{params.step}.csv", (params.step, *_HEADER), rows)


def _params(request: Request) -> Params:
    query = request.query_params
    days = query.get("days", "30")
    step = query.get("by", "hour" if days == "1" else "day")
    if step not in STEPS or days not in PERIODS:
        raise BadRequest("'by' and 'days' take the values that the tabs on the page have.")
    if step == "hour" and int(days) > MAX_HOURLY_DAYS:
        days = str(MAX_HOURLY_DAYS)
    begin, end = bounds(int(days), Portal.of(request).now)
    return Params(query.get("model", "")[:200], step, days, begin, end)  # type: ignore[arg-type]


async def _load(request: Request, params: Params) -> list[Moment]:
    portal, account = Portal.of(request), guard.account(request)
    await portal.live.drain()
    async with portal.site.database.read() as db:
        return await latency.by_time(
            db, account.id, params.begin, params.end, params.step, params.model
        )


def _charts(params: Params, buckets: Sequence[Moment]) -> list[tuple[str, object]]:
    """One chart each for the first token and the whole response, if there is data."""
    known = {bucket.at: bucket for bucket in buckets}
    times = range(int(params.begin), int(params.end), _SECONDS[params.step])
    subject = params.model or "every model"
    span = f"{subject}, {PERIODS[params.days].lower()} by {params.step}, UTC"
    metrics: list[tuple[str, Callable[[Moment], Spread | None]]] = [
        (f"First token of streams, {span}", lambda bucket: bucket.first_ms),
        (f"Whole answer, {span}", lambda bucket: bucket.total_ms),
    ]
    return [
        (title, _chart(params, title, times, {at: of(one) for at, one in known.items()}))
        for title, of in metrics
        if any(of(one) for one in buckets)
    ]


def _chart(params: Params, title: str, times: range, known: Mapping[int, Spread | None]) -> object:
    percentiles = [known.get(at) for at in times]
    drawn = [
        Line("p50", [one.p50 if one else None for one in percentiles]),
        Line("p95", [one.p95 if one else None for one in percentiles]),
    ]
    labels = [_label(params, at) for at in times]
    return charts.lines(title, drawn, labels, write=milliseconds, margin=_NAMES)


def _label(params: Params, at: int) -> str:
    start = datetime.fromtimestamp(at, UTC)
    if params.step == "day":
        return f"{start:%b} {start.day}"
    return f"{start:%H}:00" if params.days == "1" else f"{start:%b} {start.day} {start:%H}:00"


def _row(params: Params, bucket: Moment) -> list[str]:
    figures = (*_p50_p95(bucket.first_ms), *_p50_p95(bucket.total_ms))
    return [_label(params, bucket.at), count(bucket.requests), *map(milliseconds, figures)]


def _p50_p95(spread: Spread | None) -> tuple[float | None, float | None]:
    return (spread.p50, spread.p95) if spread else (None, None)
