"""`GET /v1/requests/{id}`: the receipt of a call, as soon as its caller has the answer.

`GET /v1/requests` lists an account's calls, newest first.
"""

import asyncio
from collections.abc import Mapping

import structlog
from starlette.requests import Request
from starlette.responses import Response

from oxlo.control import fold, receipts, replies, segments
from oxlo.control.context import Control
from oxlo.errors import BadRequest, InvalidApiKey, NotFound
from oxlo.store import calls, grants, history
from oxlo.store.calls import RUNNING, Call
from oxlo.store.errors import CallNotFound, DatabaseUnavailable
from oxlo.store.grants import Grant
from oxlo.store.history import Filter
from oxlo.wire.receipts import Receipt, ReceiptList

DEFAULT_LIMIT = 20
MOST = 100
_YES_NO = {"true": True, "false": False}

#: Set by the gateway, which drops it from what clients send.
ACCOUNT_HEADER = "x-oxlo-account"

log = structlog.get_logger()


async def endpoint(request: Request) -> Response:
    """Answer with the receipt, to the account that made the call and to nobody else."""
    account = asking(request)
    control = Control.of(request)
    call = await find(control, request.path_params["id"])
    if call is None or call.account_id != account:
        raise _unknown(request.path_params["id"], control.settings.receipts_days)
    return replies.json(receipts.receipt(call, await _refund(control, call)))


async def listing(request: Request) -> Response:
    """Answer with the receipts of the account that asks. Raises BadRequest."""
    account, query = asking(request), request.query_params
    control, limit = Control.of(request), _limit(query.get("limit"))
    only = Filter(
        model=query.get("model"),
        outcome=query.get("outcome"),
        key=query.get("key"),
        counted=_counted(query),
    )
    await control.drain.run()
    try:
        async with control.database.read() as db:
            page = await history.page(db, account, limit=limit, after=query.get("after"), only=only)
    except CallNotFound:
        raise BadRequest("'after' takes the id of one of your calls.", param="after") from None
    return replies.json(_listed([receipts.receipt(call) for call in page.calls], more=page.more))


def asking(request: Request) -> str:
    """The account that a gateway says is asking. Raises InvalidApiKey where it says none."""
    account = request.headers.get(ACCOUNT_HEADER)
    if not account:
        raise InvalidApiKey
    return account


def _limit(given: str | None) -> int:
    if given is None:
        return DEFAULT_LIMIT
    if not given.isascii() or not given.isdigit() or not 1 <= int(given[:9]) <= MOST:
        raise BadRequest(f"'limit' takes a number from 1 to {MOST}.", param="limit")
    return int(given)


def _counted(query: Mapping[str, str]) -> bool | None:
    given = query.get("counted")
    if given is not None and given not in _YES_NO:
        raise BadRequest("'counted' takes true or false.", param="counted")
    return None if given is None else _YES_NO[given]


def _listed(shown: list[Receipt], *, more: bool) -> ReceiptList:
    return ReceiptList(
        object="list",
        data=shown,
        first_id=shown[0].id if shown else None,
        last_id=shown[-1].id if shown else None,
        has_more=more,
    )


async def _refund(control: Control, call: Call) -> Grant | None:
    """The call's refund; a receipt that came from the journals does without."""
    try:
        async with control.database.read() as db:
            return await grants.of_call(db, call.id)
    except DatabaseUnavailable:
        return None


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
