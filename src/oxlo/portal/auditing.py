"""Audit log entries of pages, with the request's time and client address."""

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request

from oxlo.portal import guard
from oxlo.portal.portal import Portal, address
from oxlo.store import audit
from oxlo.store.accounts import Account

#: Maximum characters of a detail, which may hold free text.
_MAX_DETAIL = 300


async def record(
    db: AsyncConnection, request: Request, action: str, target: str, detail: str = ""
) -> None:
    """Record what the signed-in account did to `target`."""
    await _write(db, request, action, guard.account(request).id, target, detail)


async def record_own(
    db: AsyncConnection, request: Request, action: str, account: Account, detail: str = ""
) -> None:
    """Record what an account did to itself, signed in or not."""
    await _write(db, request, action, account.id, account.id, detail)


async def _write(
    db: AsyncConnection, request: Request, action: str, actor: str, target: str, detail: str
) -> None:
    await audit.write(
        db,
        action,
        actor=actor,
        target=target,
        now=Portal.of(request).now,
        detail=detail[:_MAX_DETAIL],
        address=address(request),
    )
