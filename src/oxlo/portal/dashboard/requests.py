"""Requests: a live list with filters in the URL. Operators see it for any account."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from oxlo.errors import BadRequest
from oxlo.ledger.windows import iso
from oxlo.portal import guard
from oxlo.portal.dashboard import csvs
from oxlo.portal.dashboard.filters import PATH, Filters, choices
from oxlo.portal.portal import Portal
from oxlo.store import history, keys
from oxlo.store.accounts import Account
from oxlo.store.calls import Call
from oxlo.store.errors import CallNotFound

ON_A_PAGE = 50
_MAX_ROWS = 10_000
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
    """The account's own list."""
    return await respond(request, "dashboard/requests.html", guard.account(request))


async def respond(request: Request, template: str, owner: Account, path: str = PATH) -> Response:
    """Render an account's list, which is served at `path`; for htmx the rows alone."""
    portal, filters = Portal.of(request), Filters.of(request.query_params)
    result = await _load(request, owner, filters, ON_A_PAGE)
    context = _list_context(filters, result, request.query_params.get("after", ""), path)
    context |= {"owner": owner, "reason": portal.live.reason}
    if request.headers.get("hx-target") == "list":
        return _rows(request, filters.address(path), context)
    async with portal.site.database.read() as db:
        account_keys = await keys.of_account(db, owner.id)
        kinds = await history.kinds(db, owner.id)
    context["choices"] = choices(kinds, account_keys)
    return guard.respond(request, template, context)


def _rows(request: Request, address: str, context: dict[str, object]) -> Response:
    """The rows alone; submitting the filters also updates the browser's URL."""
    reply = guard.respond(request, "dashboard/list.html", context)
    if request.headers.get("hx-trigger") == "filters":
        reply.headers["hx-push-url"] = address
    return reply


def _list_context(
    filters: Filters, result: history.Page, after: str, path: str
) -> dict[str, object]:
    """Template context. An older page is static; the newest one updates itself."""
    return {
        "calls": result.calls,
        "filters": filters,
        "list_path": path,
        "here": "" if after else filters.address(path),
        "newest": filters.address(path) if after else "",
        "older": filters.address(path, after=result.calls[-1].id) if result.more else "",
        "csv": filters.address(f"{PATH}.csv") if path == PATH else "",
    }


async def download(request: Request) -> Response:
    """The newest matching requests, as CSV."""
    filters = Filters.of(request.query_params)
    result = await _load(request, guard.account(request), filters, _MAX_ROWS)
    return csvs.reply("requests.csv", _COLUMNS, map(_cells, result.calls))


async def _load(request: Request, owner: Account, filters: Filters, limit: int) -> history.Page:
    portal = Portal.of(request)
    after, only = request.query_params.get("after", "")[:200], filters.only(portal.now)
    await portal.live.drain()
    try:
        async with portal.site.database.read() as db:
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
    """A request for an account's data export."""
    fields: dict[str, object] = msgspec.structs.asdict(call)
    del fields["account_id"]
    return fields
