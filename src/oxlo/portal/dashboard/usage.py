"""Usage: an account's calls added up, as bars, as a table and as CSV. Never a prompt."""

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
from oxlo.portal.dashboard.periods import MOST_HOURLY, PERIODS, bounds
from oxlo.portal.desk import Desk
from oxlo.portal.words import count, milliseconds
from oxlo.store import keys, usage
from oxlo.store.usage import By, Group

#: The tabs of the page.
TABS: Mapping[By, str] = {
    "day": "By day",
    "hour": "By hour",
    "model": "By model",
    "endpoint": "By endpoint",
    "outcome": "By outcome",
    "key": "By key",
}
#: Bars of what has names: the table has all of them.
MOST_BARS = 10
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


class Asked(NamedTuple):
    """What the address asks for."""

    by: By
    days: str
    #: Unix seconds, the second not included.
    begin: float
    end: float


async def page(request: Request) -> Response:
    """Bars, and their table."""
    asked = _asked(request)
    groups, (total,) = await _groups(request, asked)
    names = await _key_names(request) if asked.by == "key" else {}
    title = f"Requests {TABS[asked.by].lower()}, {PERIODS[asked.days].lower()}, UTC"
    whole = _by_time(asked) or len(groups) <= MOST_BARS
    context = {
        "tabs": tabs(asked.by, asked.days),
        "periods": [
            (_link(asked, days=days), name, days == asked.days) for days, name in PERIODS.items()
        ],
        "total": total.sums,
        "title": title,
        "caption": title if whole else f"{title}: the top {MOST_BARS}",
        "chart": _chart(title, asked, groups, names),
        "rows": [_row(asked, group, names) for group in _told(asked, groups)],
        "columns": _columns(asked),
        "csv": f"/dashboard/usage.csv?{urlencode({'by': asked.by, 'days': asked.days})}",
    }
    return guard.respond(request, "dashboard/usage.html", context)


async def download(request: Request) -> Response:
    """The table as CSV."""
    asked = _asked(request)
    groups, _ = await _groups(request, asked)
    names = await _key_names(request) if asked.by == "key" else {}
    rows = [
        [_cell(asked, group, names), *(getattr(group.sums, name) for name in _HEADER)]
        for group in groups
    ]
    return csvs.reply(f"usage-by-{asked.by}.csv", (asked.by, *_HEADER), rows)


def _asked(request: Request) -> Asked:
    query = request.query_params
    by, days = query.get("by", "day"), query.get("days", "30")
    if by not in TABS or days not in PERIODS:
        raise BadRequest("'by' and 'days' take the values that the tabs on the page have.")
    if by == "hour" and int(days) > MOST_HOURLY:
        days = str(MOST_HOURLY)
    return Asked(by, days, *bounds(int(days), Desk.of(request).now))  # type: ignore[arg-type]


async def _groups(request: Request, asked: Asked) -> tuple[list[Group], list[Group]]:
    desk, account = Desk.of(request), guard.account(request)
    await desk.live.drain()
    async with desk.site.database.read() as db:
        groups = await usage.added_up(db, account.id, asked.begin, asked.end, (asked.by,))
        total = await usage.added_up(db, account.id, asked.begin, asked.end, ())
    return groups, total


async def _key_names(request: Request) -> dict[str, str]:
    desk, account = Desk.of(request), guard.account(request)
    async with desk.site.database.read() as db:
        mine = await keys.of_account(db, account.id)
    return {key.id: "the playground" if key.hidden else key.name for key in mine}


def _filled(asked: Asked, groups: Sequence[Group]) -> Sequence[Group]:
    """Days and hours without a call stand there with nothing."""
    step = {"day": DAY, "hour": _HOUR}.get(asked.by)
    if step is None:
        return sorted(groups, key=lambda group: -group.sums.requests)
    known = {int(group.key[0]): group for group in groups}
    nothing = usage.Sums(
        requests=0,
        counted=0,
        not_counted=0,
        prompt_tokens=0,
        completion_tokens=0,
        cached_tokens=0,
        mean_first_ms=None,
        mean_total_ms=None,
    )
    moments = range(int(asked.begin), int(asked.end), step)
    return [known.get(at, Group((at,), nothing)) for at in moments]


def _told(asked: Asked, groups: Sequence[Group]) -> Sequence[Group]:
    """The table's order: the latest first, or the most."""
    if _by_time(asked):
        return groups[::-1]
    return sorted(groups, key=lambda group: -group.sums.requests)


def _by_time(asked: Asked) -> bool:
    return asked.by in ("day", "hour")


def _chart(title: str, asked: Asked, groups: Sequence[Group], names: Mapping[str, str]) -> Markup:
    """Time runs from left to right; what has a name stands in a line of its own."""
    bars = [_bar(asked, group, names) for group in _filled(asked, groups)]
    if _by_time(asked):
        return charts.bars(title, bars)
    return charts.ranking(title, bars[:MOST_BARS])


def _bar(asked: Asked, group: Group, names: Mapping[str, str]) -> Bar:
    sums = group.sums
    label = _label(asked, group, names)
    note = f"{label}: {count(sums.requests)} requests, {count(sums.counted)} counted"
    return Bar(label, sums.requests, note)


def _label(asked: Asked, group: Group, names: Mapping[str, str]) -> str:
    value = group.key[0]
    if _by_time(asked):
        at = datetime.fromtimestamp(value, UTC)
        return f"{at:%b} {at.day}" if asked.by == "day" else f"{at:%b} {at.day} {at:%H}:00"
    return names.get(value, str(value))


def _cell(asked: Asked, group: Group, names: Mapping[str, str]) -> str:
    value = group.key[0]
    return iso(value) if _by_time(asked) else names.get(value, str(value))


def _columns(asked: Asked) -> list[tuple[str, str]]:
    figures = ("Requests", "Counted", "Not counted", "Prompt", "Completion", "First token", "Total")
    return [(TABS[asked.by].removeprefix("By ").capitalize(), ""), *((f, "num") for f in figures)]


def _row(asked: Asked, group: Group, names: Mapping[str, str]) -> list[str]:
    sums = group.sums
    figures = (sums.requests, sums.counted, sums.not_counted)
    tokens = (sums.prompt_tokens, sums.completion_tokens)
    return [
        _linked(asked, group, _label(asked, group, names)),
        *map(count, figures),
        *map(count, tokens),
        milliseconds(sums.mean_first_ms),
        milliseconds(sums.mean_total_ms),
    ]


def _linked(asked: Asked, group: Group, label: str) -> str:
    """The label, with the way to the requests that its row adds up, where a filter finds them."""
    if _by_time(asked):
        return label
    found = Filters(days=asked.days)._replace(**{asked.by: str(group.key[0])})
    return Markup('<a href="{}">{}</a>').format(found.address(), label)


def tabs(by: str, days: str, *, latency: bool = False) -> list[tuple[str, str, bool]]:
    """The tabs of usage; latency is one of them."""
    known = by if by in TABS else "day"
    shown = [
        (f"/dashboard/usage?{urlencode({'by': name, 'days': days})}", words, name == known)
        for name, words in TABS.items()
    ]
    if latency:
        shown = [(link, words, False) for link, words, _ in shown]
    return [*shown, (f"/dashboard/latency?{urlencode({'days': days})}", "Latency", latency)]


def _link(asked: Asked, **other: str) -> str:
    return f"/dashboard/usage?{urlencode({'by': asked.by, 'days': asked.days} | other)}"
