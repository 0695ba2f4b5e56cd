"""Usage: an account's requests aggregated, as charts, table and CSV."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import urlencode

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from oxlo.errors import BadRequest
from oxlo.ledger.windows import DAY, iso
from oxlo.portal import charts, guard
from oxlo.portal.charts import Bar
from oxlo.portal.dashboard import csvs
from oxlo.portal.dashboard.filters import Filters
from oxlo.portal.dashboard.periods import MAX_HOURLY_DAYS, PERIODS, bounds
from oxlo.portal.formats import count, milliseconds
from oxlo.portal.portal import Portal
from oxlo.store import keys, usage
from oxlo.store.usage import By, Group

#: Tabs of the page.
TABS: Mapping[By, str] = {
    "day": "By day",
    "hour": "By hour",
    "model": "By model",
    "endpoint": "By endpoint",
    "outcome": "By outcome",
    "key": "By key",
}
#: Bars in a ranking; the table has all rows.
MAX_BARS = 10
_HOUR = 3600
_HEADER = (
    "requests",
    "counted",
    "not_counted",
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "mean_first_ms",
    "mean_total_ms",
)


class Params(NamedTuple):
    """Parameters of the page."""

    by: By
    days: str
    #: Unix seconds; `end` is exclusive.
    begin: float
    end: float


async def page(request: Request) -> Response:
    """Charts and their table."""
    params = _params(request)
    groups, (total,) = await _load(request, params)
    names = await _key_names(request) if params.by == "key" else {}
    title = f"Requests {TABS[params.by].lower()}, {PERIODS[params.days].lower()}, UTC"
    whole = _by_time(params) or len(groups) <= MAX_BARS
    context = {
        "tabs": tabs(params.by, params.days),
        "periods": [
            (_link(params, days=days), name, days == params.days) for days, name in PERIODS.items()
        ],
        "total": total.sums,
        "title": title,
        "caption": title if whole else f"{title}: the top {MAX_BARS}",
        "chart": _chart(title, params, groups, names),
        "rows": [_row(params, group, names) for group in _table_order(params, groups)],
        "columns": _columns(params),
        "csv": f"/dashboard/usage.csv?{urlencode({'by': params.by, 'days': params.days})}",
    }
    return guard.respond(request, "dashboard/usage.html", context)


async def download(request: Request) -> Response:
    """The table as CSV."""
    params = _params(request)
    groups, _ = await _load(request, params)
    names = await _key_names(request) if params.by == "key" else {}
    rows = [
        [_cell(params, group, names), *(getattr(group.sums, name) for name in _HEADER)]
        for group in groups
    ]
    return csvs.reply(f"usage-by-{params.by}.csv", (params.by, *_HEADER), rows)


def _params(request: Request) -> Params:
    query = request.query_params
    by, days = query.get("by", "day"), query.get("days", "30")
    if by not in TABS or days not in PERIODS:
        raise BadRequest("'by' and 'days' take the values that the tabs on the page have.")
    if by == "hour" and int(days) > MAX_HOURLY_DAYS:
        days = str(MAX_HOURLY_DAYS)
    return Params(by, days, *bounds(int(days), Portal.of(request).now))  # type: ignore[arg-type]


async def _load(request: Request, params: Params) -> tuple[list[Group], list[Group]]:
    portal, account = Portal.of(request), guard.account(request)
    await portal.live.drain()
    async with portal.site.database.read() as db:
        groups = await usage.added_up(db, account.id, params.begin, params.end, (params.by,))
        total = await usage.added_up(db, account.id, params.begin, params.end, ())
    return groups, total


async def _key_names(request: Request) -> dict[str, str]:
    portal, account = Portal.of(request), guard.account(request)
    async with portal.site.database.read() as db:
        account_keys = await keys.of_account(db, account.id)
    return {key.id: "the playground" if key.hidden else key.name for key in account_keys}


def _filled(params: Params, groups: Sequence[Group]) -> Sequence[Group]:
    """Groups in chart order; days and hours without requests are filled with zeros."""
    step = {"day": DAY, "hour": _HOUR}.get(params.by)
    if step is None:
        return sorted(groups, key=lambda group: -group.sums.requests)
    known = {int(group.key[0]): group for group in groups}
    zeros = usage.Sums(
        requests=0,
        counted=0,
        not_counted=0,
        prompt_tokens=0,
        completion_tokens=0,
        cached_tokens=0,
        mean_first_ms=None,
        mean_total_ms=None,
    )
    starts = range(int(params.begin), int(params.end), step)
    return [known.get(at, Group((at,), zeros)) for at in starts]


def _table_order(params: Params, groups: Sequence[Group]) -> Sequence[Group]:
    """Groups in table order: the latest first, or the most requests first."""
    if _by_time(params):
        return groups[::-1]
    return sorted(groups, key=lambda group: -group.sums.requests)


def _by_time(params: Params) -> bool:
    return params.by in ("day", "hour")


def _chart(title: str, params: Params, groups: Sequence[Group], names: Mapping[str, str]) -> Markup:
    """Time runs from left to right; other groupings are rankings."""
    bars = [_bar(params, group, names) for group in _filled(params, groups)]
    if _by_time(params):
        return charts.bars(title, bars)
    return charts.ranking(title, bars[:MAX_BARS])


def _bar(params: Params, group: Group, names: Mapping[str, str]) -> Bar:
    sums = group.sums
    label = _label(params, group, names)
    note = f"{label}: {count(sums.requests)} requests, {count(sums.counted)} counted"
    return Bar(label, sums.requests, note)


def _label(params: Params, group: Group, names: Mapping[str, str]) -> str:
    value = group.key[0]
    if _by_time(params):
        at = datetime.fromtimestamp(value, UTC)
        return f"{at:%b} {at.day}" if params.by == "day" else f"{at:%b} {at.day} {at:%H}:00"
    return names.get(value, str(value))


def _cell(params: Params, group: Group, names: Mapping[str, str]) -> str:
    value = group.key[0]
    return iso(value) if _by_time(params) else names.get(value, str(value))


def _columns(params: Params) -> list[tuple[str, str]]:
    figures = ("Requests", "Counted", "Not counted", "Prompt", "Completion", "First token", "Total")
    return [(TABS[params.by].removeprefix("By ").capitalize(), ""), *((f, "num") for f in figures)]


def _row(params: Params, group: Group, names: Mapping[str, str]) -> list[str]:
    sums = group.sums
    figures = (sums.requests, sums.counted, sums.not_counted)
    tokens = (sums.prompt_tokens, sums.completion_tokens)
    return [
        _linked(params, group, _label(params, group, names)),
        *map(count, figures),
        *map(count, tokens),
        milliseconds(sums.mean_first_ms),
        milliseconds(sums.mean_total_ms),
    ]


def _linked(params: Params, group: Group, label: str) -> str:
    """The label, linked to the row's requests if a filter can select them."""
    if _by_time(params):
        return label
    filters = Filters(days=params.days)._replace(**{params.by: str(group.key[0])})
    return Markup('<a href="{}">{}</a>').format(filters.address(), label)


def tabs(by: str, days: str, *, latency: bool = False) -> list[tuple[str, str, bool]]:
    """The tabs of usage, including latency."""
    selected = by if by in TABS else "day"
    links = [
        (f"/dashboard/usage?{urlencode({'by': name, 'days': days})}", label, name == selected)
        for name, label in TABS.items()
    ]
    if latency:
        links = [(link, label, False) for link, label, _ in links]
    return [*links, (f"/dashboard/latency?{urlencode({'days': days})}", "Latency", latency)]


def _link(params: Params, **other: str) -> str:
    return f"/dashboard/usage?{urlencode({'by': params.by, 'days': params.days} | other)}"
