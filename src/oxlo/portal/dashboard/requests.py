"""Requests: a live list with filters in the address, and the receipt of each with its waterfall."""

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from oxlo.errors import BadRequest, NotFound
from oxlo.ledger.windows import iso
from oxlo.portal import charts, guard
from oxlo.portal.charts import Phase
from oxlo.portal.dashboard import csvs
from oxlo.portal.dashboard.filters import PATH, Filters, choices
from oxlo.portal.desk import Desk
from oxlo.portal.words import milliseconds
from oxlo.store import calls, grants, history, keys
from oxlo.store.calls import RUNNING, Call
from oxlo.store.errors import CallNotFound

ON_A_PAGE = 50
_MOST_ROWS = 10_000
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


async def page(request: Request) -> Response:
    """The list; asked for by htmx, the rows alone."""
    desk, account = Desk.of(request), guard.account(request)
    filters = Filters.of(request.query_params)
    found = await _found(request, filters, ON_A_PAGE)
    context = _listed(desk, filters, found, request.query_params.get("after", ""))
    if request.headers.get("hx-target") == "list":
        return _rows(request, filters, context)
    async with desk.site.database.read() as db:
        mine = await keys.of_account(db, account.id)
        kinds = await history.kinds(db, account.id)
    context["choices"] = choices(kinds, mine)
    return guard.respond(request, "dashboard/requests.html", context)


def _rows(request: Request, filters: Filters, context: dict[str, object]) -> Response:
    """The rows alone; what was asked for with the form is the page's address from then on."""
    reply = guard.respond(request, "dashboard/list.html", context)
    if request.headers.get("hx-trigger") == "filters":
        reply.headers["hx-push-url"] = filters.address()
    return reply


def _listed(desk: Desk, filters: Filters, found: history.Page, after: str) -> dict[str, object]:
    """The rows and what stands around them. An older page stays as it is; the newest moves."""
    return {
        "calls": found.calls,
        "filters": filters,
        "reason": desk.live.reason,
        "here": "" if after else filters.address(),
        "newest": filters.address() if after else "",
        "older": filters.address(after=found.calls[-1].id) if found.more else "",
        "csv": filters.address(f"{PATH}.csv"),
    }


async def download(request: Request) -> Response:
    """The newest calls that the filters let through, as CSV."""
    found = await _found(request, Filters.of(request.query_params), _MOST_ROWS)
    return csvs.reply("requests.csv", _COLUMNS, map(_cells, found.calls))


async def receipt(request: Request) -> Response:
    """One call: what happened, whether it counted and why, and where its time went."""
    desk, account = Desk.of(request), guard.account(request)
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
        "known": desk.site.catalogue.get(call.model) is not None,
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


async def _found(request: Request, filters: Filters, limit: int) -> history.Page:
    desk, account = Desk.of(request), guard.account(request)
    after, only = request.query_params.get("after", "")[:200], filters.only(desk.now)
    await desk.live.drain()
    try:
        async with desk.site.database.read() as db:
            return await history.page(db, account.id, limit=limit, after=after or None, only=only)
    except CallNotFound:
        raise BadRequest("The page before this one is gone. Start with the newest.") from None


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
