"""Requests: a live list with filters in the address. Operators see that of any account."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from oxlo.errors import BadRequest
from oxlo.ledger.windows import iso
from oxlo.portal import guard
from oxlo.portal.dashboard import csvs
from oxlo.portal.dashboard.filters import PATH, Filters, choices
from oxlo.portal.desk import Desk
from oxlo.store import history, keys
from oxlo.store.accounts import Account
from oxlo.store.calls import Call
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
    """The list of whoever is signed in."""
    return await respond(request, "dashboard/requests.html", guard.account(request))


async def respond(request: Request, template: str, owner: Account, path: str = PATH) -> Response:
    """An account's list, which is at `path`; asked for by htmx, the rows alone."""
    desk, filters = Desk.of(request), Filters.of(request.query_params)
    found = await _found(request, owner, filters, ON_A_PAGE)
    context = _listed(filters, found, request.query_params.get("after", ""), path)
    context |= {"owner": owner, "reason": desk.live.reason}
    if request.headers.get("hx-target") == "list":
        return _rows(request, filters.address(path), context)
    async with desk.site.database.read() as db:
        mine = await keys.of_account(db, owner.id)
        kinds = await history.kinds(db, owner.id)
    context["choices"] = choices(kinds, mine)
    return guard.respond(request, template, context)


def _rows(request: Request, address: str, context: dict[str, object]) -> Response:
    """The rows alone; what was asked for with the form is the page's address from then on."""
    reply = guard.respond(request, "dashboard/list.html", context)
    if request.headers.get("hx-trigger") == "filters":
        reply.headers["hx-push-url"] = address
    return reply


def _listed(filters: Filters, found: history.Page, after: str, path: str) -> dict[str, object]:
    """The rows and what stands around them. An older page stays as it is; the newest moves."""
    return {
        "calls": found.calls,
        "filters": filters,
        "list_path": path,
        "here": "" if after else filters.address(path),
        "newest": filters.address(path) if after else "",
        "older": filters.address(path, after=found.calls[-1].id) if found.more else "",
        "csv": filters.address(f"{PATH}.csv") if path == PATH else "",
    }


async def download(request: Request) -> Response:
    """The newest calls that the filters let through, as CSV."""
    filters = Filters.of(request.query_params)
    found = await _found(request, guard.account(request), filters, _MOST_ROWS)
    return csvs.reply("requests.csv", _COLUMNS, map(_cells, found.calls))


async def _found(request: Request, owner: Account, filters: Filters, limit: int) -> history.Page:
    desk = Desk.of(request)
    after, only = request.query_params.get("after", "")[:200], filters.only(desk.now)
    await desk.live.drain()
    try:
        async with desk.site.database.read() as db:
            return await history.page(db, owner.id, limit=limit, after=after or None, only=only)
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
