"""`GET /v1/requests/{id}`: the receipt of a call, available as soon as its response is.

`GET /v1/requests` lists an account's receipts, newest first.
"""

import asyncio
from collections.abc import Mapping

import structlog
from starlette.requests import Request
from starlette.responses import Response

from oxlo.control import call_records, receipts, replies, segments
from oxlo.control.context import Control
from oxlo.errors import BadRequest, InvalidApiKey, NotFound
from oxlo.store import calls, grants, history
from oxlo.store.calls import RUNNING, Call
from oxlo.store.errors import CallNotFound, DatabaseUnavailable
from oxlo.store.grants import Grant
from oxlo.store.history import Filter
from oxlo.wire.receipts import Receipt, ReceiptList

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
_BOOLEANS = {"true": True, "false": False}

#: Set by the gateway, which drops the header from clients' requests.
ACCOUNT_HEADER = "x-oxlo-account"

log = structlog.get_logger()


async def endpoint(request: Request) -> Response:
    """Answer with the receipt, only to the account that made the call. Raises NotFound."""
    account = authenticated(request)
    control = Control.of(request)
    call = await find(control, request.path_params["id"])
    if call is None or call.account_id != account:
        raise _unknown(request.path_params["id"], control.settings.receipts_days)
    return replies.json(receipts.receipt(call, await _refund(control, call)))


async def listing(request: Request) -> Response:
    """Answer with a page of the account's receipts. Raises BadRequest."""
    account, query = authenticated(request), request.query_params
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
    return replies.json(_page([receipts.receipt(call) for call in page.calls], more=page.more))


def authenticated(request: Request) -> str:
    """The account that the gateway authenticated. Raises InvalidApiKey if there is none."""
    account = request.headers.get(ACCOUNT_HEADER)
    if not account:
        raise InvalidApiKey
    return account


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= MAX_LIMIT:
        raise BadRequest(f"'limit' takes a number from 1 to {MAX_LIMIT}.", param="limit")
    return int(text)


def _counted(query: Mapping[str, str]) -> bool | None:
    text = query.get("counted")
    if text is not None and text not in _BOOLEANS:
        raise BadRequest("'counted' takes true or false.", param="counted")
    return None if text is None else _BOOLEANS[text]


def _page(data: list[Receipt], *, more: bool) -> ReceiptList:
    return ReceiptList(
        object="list",
        data=data,
        first_id=data[0].id if data else None,
        last_id=data[-1].id if data else None,
        has_more=more,
    )


async def _refund(control: Control, call: Call) -> Grant | None:
    """The call's refund; None also while the database is unavailable."""
    try:
        async with control.database.read() as db:
            return await grants.of_call(db, call.id)
    except DatabaseUnavailable:
        return None


async def find(control: Control, call_id: str) -> Call | None:
    """Find a call in SQL, after draining the journals if SQL may be behind.

    While SQL is unavailable, the journals are searched; they hold the last days.
    """
    try:
        call = await _find_in_database(control, call_id)
        if call is not None and call.outcome != RUNNING:
            return call
        await control.drain.run()
        return await _find_in_database(control, call_id)
    except DatabaseUnavailable as error:
        log.warning("receipt.from_journal", request_id=call_id, error=str(error))
        return await _find_in_journals(control, call_id)


async def _find_in_database(control: Control, call_id: str) -> Call | None:
    async with control.database.read() as db:
        return await calls.find(db, call_id)


async def _find_in_journals(control: Control, call_id: str) -> Call | None:
    folder = control.settings.journal_dir
    records = await asyncio.to_thread(segments.search, folder, call_id.encode())
    return next((call for call in call_records.calls(records) if call.id == call_id), None)


def _unknown(call_id: str, days: int) -> NotFound:
    return NotFound(
        f"No request {call_id[:100]!r} of this account is known. Ids are in the x-request-id "
        f"header of every reply; receipts are kept for {days} days.",
        param="id",
        code="request_not_found",
    )
