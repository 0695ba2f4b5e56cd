"""The audit log: who did what to whom. Written in the transaction of the deed."""

import secrets
from typing import Any

import msgspec
from sqlalchemy import delete, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from oxlo.store.schema import audit

#: What anybody can add entries of, as often as they like; the rest is kept for ever.
_PASSING = ("login", "login.failed")


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One deed; `at` in unix seconds."""

    id: str
    at: float
    #: The id of the account that did it; `cli`, or `oxlo` for what happens by itself.
    actor: str
    #: As `login.failed` or `account.plan`.
    action: str
    #: The id of what it was done to.
    target: str
    #: More in words; never a secret.
    detail: str = ""
    #: The client's address.
    address: str = ""


async def write(
    db: AsyncConnection,
    action: str,
    *,
    actor: str,
    target: str,
    now: float,
    detail: str = "",
    address: str = "",
) -> None:
    """Add an entry."""
    entry = Entry(
        id=f"aud_{secrets.token_hex(10)}",
        at=now,
        actor=actor,
        action=action,
        target=target,
        detail=detail,
        address=address,
    )
    await db.execute(insert(audit).values(msgspec.structs.asdict(entry)))


async def latest(
    db: AsyncConnection,
    *,
    about: str = "",
    action: str = "",
    before: float | None = None,
    limit: int,
) -> list[Entry]:
    """The newest entries; of one account or key, or of actions that begin so."""
    query = select(audit)
    if about:
        query = query.where(or_(audit.c.target == about, audit.c.actor == about))
    if action:
        query = query.where(audit.c.action.startswith(action, autoescape=True))
    if before is not None:
        query = query.where(audit.c.at < before)
    query = query.order_by(audit.c.at.desc(), audit.c.id).limit(limit)
    rows: Any = (await db.execute(query)).mappings()
    return [msgspec.convert(row, Entry) for row in rows]


async def delete_logins_before(db: AsyncConnection, moment: float) -> int:
    """Delete who logged in, and failed to, before a moment in unix seconds; how many entries."""
    old = (audit.c.at < moment, audit.c.action.in_(_PASSING))
    return int((await db.execute(delete(audit).where(*old))).rowcount)
