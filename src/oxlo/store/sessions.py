"""Login sessions. The cookie has the token; only its SHA-256 is stored."""

import secrets

import msgspec
from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from oxlo.store import changes
from oxlo.store.accounts import Account
from oxlo.store.schema import accounts, sessions
from oxlo.store.tokens import digest

#: Absolute and idle timeouts of sessions, seconds.
LIFE = 30 * 86400.0
IDLE = 14 * 86400.0
#: Minimum interval between updates of the last use, seconds.
_TOUCH = 60.0
_AGENT_MAX = 200


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One session; timestamps are unix seconds."""

    id: str
    account_id: str
    sha256: str
    created_at: float
    seen_at: float
    expires_at: float
    #: Last seen client address and User-Agent.
    address: str
    agent: str


async def begin(
    db: AsyncConnection,
    account_id: str,
    *,
    address: str,
    agent: str,
    now: float,
    instead_of: Session | None = None,
) -> tuple[Session, str]:
    """Start a session; the second item is the cookie's token, which is not stored.

    A session that it replaces ends.
    """
    secret = secrets.token_urlsafe(32)
    session = Session(
        id=f"ses_{secrets.token_hex(8)}",
        account_id=account_id,
        sha256=digest(secret),
        created_at=now,
        seen_at=now,
        expires_at=now + LIFE,
        address=address,
        agent="".join(c for c in agent if c.isprintable())[:_AGENT_MAX],
    )
    await db.execute(insert(sessions).values(msgspec.structs.asdict(session)))
    # The insert locks the account, which whoever renames or deletes it locks before the changes.
    if instead_of is not None:
        await end(db, instead_of)
    return session, secret


async def find(db: AsyncConnection, secret: str, *, now: float) -> tuple[Session, Account] | None:
    """The session of a cookie and its account; None if it has ended."""
    query = select(sessions).where(sessions.c.sha256 == digest(secret))
    row = (await db.execute(query)).mappings().first()
    if row is None:
        return None
    session = msgspec.convert(row, Session)
    if now >= min(session.expires_at, session.seen_at + IDLE):
        return None
    owner = select(accounts).where(accounts.c.id == session.account_id)
    owner = owner.where(accounts.c.disabled_at.is_(None))
    found = (await db.execute(owner)).mappings().first()
    return None if found is None else (session, msgspec.convert(found, Account))


def is_stale(session: Session, now: float) -> bool:
    """Whether the last use should be updated."""
    return now - session.seen_at >= _TOUCH


async def touch(db: AsyncConnection, session: Session, *, address: str, now: float) -> None:
    """Update last use, address and User-Agent."""
    mine = sessions.c.id == session.id
    await db.execute(update(sessions).where(mine).values(seen_at=now, address=address))


async def of_account(db: AsyncConnection, account_id: str, *, now: float) -> list[Session]:
    """An account's active sessions, most recently used first."""
    query = select(sessions).where(
        sessions.c.account_id == account_id,
        sessions.c.expires_at > now,
        sessions.c.seen_at > now - IDLE,
    )
    rows = (await db.execute(query.order_by(sessions.c.seen_at.desc()))).mappings()
    return [msgspec.convert(row, Session) for row in rows]


async def end(db: AsyncConnection, session: Session) -> None:
    """End a session, and revoke its hidden keys."""
    await db.execute(delete(sessions).where(sessions.c.id == session.id))
    await changes.note(db, session.account_id)


async def end_all(db: AsyncConnection, account_id: str, *, but: str = "") -> int:
    """End all sessions of an account except `but`; returns the number."""
    others = (sessions.c.account_id == account_id, sessions.c.id != but)
    ended = int((await db.execute(delete(sessions).where(*others))).rowcount)
    await changes.note(db, account_id)
    return ended


async def delete_expired(db: AsyncConnection, now: float) -> int:
    """Delete ended sessions; returns the number."""
    over = (sessions.c.expires_at <= now) | (sessions.c.seen_at <= now - IDLE)
    return int((await db.execute(delete(sessions).where(over))).rowcount)
