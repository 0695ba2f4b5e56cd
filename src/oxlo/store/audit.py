"""The audit log, written in the transaction of each action."""

import secrets
from typing import Any

import msgspec
from sqlalchemy import delete, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from oxlo.store.schema import audit

#: Actions that anybody can cause at will, which are deleted after a while; others stay for ever.
_PASSING = ("login", "login.failed")


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One action; `at` is in unix seconds."""

    id: str
    at: float
    #: Account id of the actor; or `cli`, or `oxlo` for automatic actions.
    actor: str
    #: Like `login.failed` or `account.plan`.
    action: str
    #: Id of the object.
    target: str
    #: Details; never secrets.
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
    """The newest entries, optionally of one object or with a prefix of actions."""
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
    """Delete log-in entries before a time (unix seconds); returns the number."""
    old = (audit.c.at < moment, audit.c.action.in_(_PASSING))
    return int((await db.execute(delete(audit).where(*old))).rowcount)
