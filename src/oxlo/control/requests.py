"""`GET /v1/requests/{id}`: the receipt of a call, as soon as its caller has the answer."""

import asyncio

import structlog
from starlette.requests import Request
from starlette.responses import Response

from oxlo.control import fold, receipts, replies, segments
from oxlo.control.context import Control
from oxlo.errors import InvalidApiKey, NotFound
from oxlo.store import calls
from oxlo.store.calls import RUNNING, Call
from oxlo.store.errors import DatabaseUnavailable

#: Set by the gateway, which drops it from what clients send.
ACCOUNT_HEADER = "x-oxlo-account"

log = structlog.get_logger()


async def endpoint(request: Request) -> Response:
    """Answer with the receipt, to the account that made the call and to nobody else."""
    account = request.headers.get(ACCOUNT_HEADER)
    if not account:
        raise InvalidApiKey
    control = Control.of(request)
    call = await find(control, request.path_params["id"])
    if call is None or call.account_id != account:
        raise _unknown(request.path_params["id"], control.settings.receipts_days)
    return replies.json(receipts.receipt(call))


async def find(control: Control, call_id: str) -> Call | None:
    """The call: from SQL, after draining the journals where SQL may be behind.

    Without SQL the journals alone are read: they hold the last days.
    """
    try:
        call = await _stored(control, call_id)
        if call is not None and call.outcome != RUNNING:
            return call
        await control.drain.run()
        return await _stored(control, call_id)
    except DatabaseUnavailable as error:
        log.warning("receipt.from_journal", request_id=call_id, error=str(error))
        return await _journalled(control, call_id)


async def _stored(control: Control, call_id: str) -> Call | None:
    async with control.database.read() as db:
        return await calls.find(db, call_id)


async def _journalled(control: Control, call_id: str) -> Call | None:
    folder = control.settings.journal_dir
    records = await asyncio.to_thread(segments.search, folder, call_id.encode())
    return next((call for call in fold.calls(records) if call.id == call_id), None)


def _unknown(call_id: str, days: int) -> NotFound:
    return NotFound(
        f"No request {call_id[:100]!r} of this account is known. Ids are in the x-request-id "
        f"header of every reply; receipts are kept for {days} days.",
        param="id",
        code="request_not_found",
    )
