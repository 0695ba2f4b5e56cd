"""What pages write into the audit log: moment and address are those of the request."""

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request

from oxlo.portal import guard
from oxlo.portal.desk import Desk, address
from oxlo.store import audit
from oxlo.store.accounts import Account

#: Characters of a detail: people write reasons.
_LONGEST = 300


async def note(
    db: AsyncConnection, request: Request, action: str, target: str, detail: str = ""
) -> None:
    """Write what whoever is signed in did to `target`."""
    await _write(db, request, action, guard.account(request).id, target, detail)


async def note_own(
    db: AsyncConnection, request: Request, action: str, account: Account, detail: str = ""
) -> None:
    """Write what an account did to itself, signed in or not."""
    await _write(db, request, action, account.id, account.id, detail)


async def _write(
    db: AsyncConnection, request: Request, action: str, actor: str, target: str, detail: str
) -> None:
    await audit.write(
        db,
        action,
        actor=actor,
        target=target,
        now=Desk.of(request).now,
        detail=detail[:_LONGEST],
        address=address(request),
    )
