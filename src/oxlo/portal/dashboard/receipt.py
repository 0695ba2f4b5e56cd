"""The receipt of a request: outcome, whether it counted and why, and where its time went."""

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from oxlo.errors import NotFound
from oxlo.portal import charts, guard
from oxlo.portal.charts import Phase
from oxlo.portal.formats import milliseconds
from oxlo.portal.portal import Portal
from oxlo.store import calls, grants, keys
from oxlo.store.calls import RUNNING, Call


async def page(request: Request) -> Response:
    """The receipt of one of the account's own requests."""
    portal, account = Portal.of(request), guard.account(request)
    call_id = request.path_params["id"]
    await portal.live.drain()
    async with portal.site.database.read() as db:
        call = await calls.find(db, call_id)
        if call is None or call.account_id != account.id:
            raise NotFound(f"No request {call_id[:100]!r} of this account is known.")
        context = await receipt_context(db, portal, call)
    return guard.respond(request, "dashboard/receipt.html", context)


async def receipt_context(db: AsyncConnection, portal: Portal, call: Call) -> dict[str, object]:
    """Template context of a receipt, for its owner and for operators."""
    phases = phases_of(call)
    return {
        "call": call,
        "known": portal.site.catalogue.get(call.model) is not None,
        "refund": await grants.of_call(db, call.id),
        "key": await _key_name(db, call),
        "reason": portal.live.reason(call),
        "phases": phases,
        "phase_rows": [[phase.name, milliseconds(phase.ms)] for phase in phases],
        "chart": charts.waterfall("Where the time went", phases, write=milliseconds),
    }


def phases_of(call: Call) -> list[Phase]:
    """Phases of a finished request; phases that it did not reach are left out."""
    if call.outcome == RUNNING or not call.total_ms:
        return []
    queued = Phase("Queue", min(call.queue_ms, call.total_ms))
    if not (call.stream and call.first_ms):  # only streams have a first part
        return [queued, Phase("Engine", max(0.0, call.total_ms - call.queue_ms))]
    return [
        queued,
        Phase(
            "First token" if call.tokens_out else "First part", max(0.0, call.first_ms - queued.ms)
        ),
        Phase("Generation", max(0.0, call.total_ms - call.first_ms)),
    ]


async def _key_name(db: AsyncConnection, call: Call) -> str:
    account_keys = await keys.of_account(db, call.account_id)
    key = next((key for key in account_keys if key.id == call.key_id), None)
    if key is None:
        return call.key_id
    return "the playground" if key.hidden else f"{key.name} ({key.prefix}…)"
