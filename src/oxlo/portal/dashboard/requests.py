"""Requests: a live list with filters in the address, and the receipt of each with its waterfall."""

from typing import NamedTuple
from urllib.parse import urlencode

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from oxlo.errors import BadRequest, NotFound
from oxlo.portal import charts, guard
from oxlo.portal.charts import Phase
from oxlo.portal.dashboard import csvs
from oxlo.portal.desk import Desk
from oxlo.portal.words import iso, milliseconds
from oxlo.store import calls, grants, history, keys, usage
from oxlo.store.calls import RUNNING, Call
from oxlo.store.errors import CallNotFound
from oxlo.store.history import Filter

ON_A_PAGE = 50
_MOST_ROWS = 10_000
_OUTCOMES = (
    *("answered", "running", "refused", "failed", "abandoned", "cancelled", "timed_out"),
    *("replayed", "lost"),
)
_COLUMNS = (
    "id",
    "time",
    "model",
    "endpoint",
    "key",
    "outcome",
    "status",
    "counted",
    "prompt_tokens",
    "completion_tokens",
    "queue_ms",
    "first_token_ms",
    "total_ms",
    "error",
)


class Asked(NamedTuple):
    """The filters in the address."""

    model: str
    outcome: str
    key: str
    after: str

    @property
    def only(self) -> Filter:
        """As the store takes them."""
        return Filter(model=self.model or None, outcome=self.outcome or None, key=self.key or None)

    def query(self, **other: str) -> str:
        """The same filters as an address."""
        kept = {"model": self.model, "outcome": self.outcome, "key": self.key} | other
        return urlencode({name: value for name, value in kept.items() if value})


async def page(request: Request) -> Response:
    """The list; asked for by htmx, the rows alone."""
    desk, account, asked = Desk.of(request), guard.visit(request).account, _asked(request)
    found = await _found(request, asked, ON_A_PAGE)
    async with desk.site.database.read() as db:
        mine = await keys.of_account(db, account.id)
        groups = await usage.added_up(db, account.id, 0, desk.now + 1, ("model",))
    context = {
        "calls": found.calls,
        "asked": asked,
        "reason": desk.live.reason,
        "here": f"/dashboard/requests?{asked.query()}",
        "older": _older(asked, found),
        "csv": f"/dashboard/requests.csv?{asked.query()}",
        "models": sorted({str(group.key[0]) for group in groups}),
        "outcomes": _OUTCOMES,
        "keys": [key for key in mine if not key.hidden],
    }
    rows = request.headers.get("hx-target") == "list"
    template = "dashboard/list.html" if rows else "dashboard/requests.html"
    return guard.respond(request, template, context)


async def download(request: Request) -> Response:
    """The newest calls that the filters let through, as CSV."""
    found = await _found(request, _asked(request), _MOST_ROWS)
    return csvs.reply("requests.csv", _COLUMNS, map(_cells, found.calls))


async def receipt(request: Request) -> Response:
    """One call: what happened, whether it counted and why, and where its time went."""
    desk, account = Desk.of(request), guard.visit(request).account
    call_id = request.path_params["id"]
    await desk.live.drain()
    async with desk.site.database.read() as db:
        call = await calls.find(db, call_id)
        if call is None or call.account_id != account.id:
            raise NotFound(f"No request {call_id[:100]!r} of this account is known.")
        refund = await grants.of_call(db, call.id)
        name = await _key_name(db, call)
    phases = phases_of(call)
    context = {
        "call": call,
        "refund": refund,
        "key": name,
        "reason": desk.live.reason(call),
        "phases": phases,
        "phase_rows": [[phase.name, milliseconds(phase.ms)] for phase in phases],
        "chart": charts.waterfall("Where the time went", phases, write=milliseconds),
    }
    return guard.respond(request, "dashboard/receipt.html", context)


def phases_of(call: Call) -> list[Phase]:
    """The steps of a call that has ended; those that it has not reached are left out."""
    if call.outcome == RUNNING or not call.total_ms:
        return []
    first = call.first_ms or call.total_ms
    steps = [
        Phase("Queue", min(call.queue_ms, call.total_ms)),
        Phase("First token" if call.first_ms else "Engine", max(0.0, first - call.queue_ms)),
    ]
    if call.first_ms:
        steps.append(Phase("Generation", max(0.0, call.total_ms - call.first_ms)))
    return steps


async def _key_name(db: AsyncConnection, call: Call) -> str:
    mine = await keys.of_account(db, call.account_id)
    found = next((key for key in mine if key.id == call.key_id), None)
    if found is None:
        return call.key_id
    return "the playground" if found.hidden else f"{found.name} ({found.prefix}…)"


async def _found(request: Request, asked: Asked, limit: int) -> history.Page:
    desk, account = Desk.of(request), guard.visit(request).account
    await desk.live.drain()
    try:
        async with desk.site.database.read() as db:
            return await history.page(
                db, account.id, limit=limit, after=asked.after or None, only=asked.only
            )
    except CallNotFound:
        raise BadRequest("The page before this one is gone. Begin with the newest.") from None


def _asked(request: Request) -> Asked:
    query = request.query_params
    return Asked(*(query.get(name, "")[:200] for name in Asked._fields))


def _older(asked: Asked, found: history.Page) -> str:
    if not found.more:
        return ""
    return f"/dashboard/requests?{asked.query(after=found.calls[-1].id)}"


def _cells(call: Call) -> list[object]:
    return [
        call.id,
        iso(call.admitted_at),
        call.model,
        call.endpoint,
        call.key_id,
        call.outcome,
        call.status,
        "yes" if call.counted else "no",
        call.tokens_in,
        call.tokens_out,
        call.queue_ms,
        call.first_ms or None,
        call.total_ms,
        call.error,
    ]


def as_dict(call: Call) -> dict[str, object]:
    """A call as its owner may take it along."""
    fields: dict[str, object] = msgspec.structs.asdict(call)
    del fields["account_id"]
    return fields
