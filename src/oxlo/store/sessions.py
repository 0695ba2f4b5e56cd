"""Sessions: who is logged in where. A cookie holds the token; here is its SHA-256 only."""

import secrets

import msgspec
from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from oxlo.store import changes
from oxlo.store.accounts import Account
from oxlo.store.schema import accounts, sessions
from oxlo.store.tokens import digest

#: Seconds after which a session ends however much it is used, and when nobody comes.
LIFE = 30 * 86400.0
IDLE = 14 * 86400.0
#: A session's last use is written at most this often, in seconds.
_TOUCH = 60.0
_AGENT_MAX = 200


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One login; moments are unix seconds."""

    id: str
    account_id: str
    sha256: str
    created_at: float
    seen_at: float
    expires_at: float
    #: The client's address and its User-Agent, as they were last seen.
    address: str
    agent: str


async def begin(
    db: AsyncConnection, account_id: str, *, address: str, agent: str, now: float
) -> tuple[Session, str]:
    """Log an account in; the second item is the cookie's token, which is kept nowhere."""
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
    return session, secret


async def find(db: AsyncConnection, secret: str, *, now: float) -> tuple[Session, Account] | None:
    """The session of a cookie and whose it is; None where it has ended."""
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
    """Whether its last use should be written anew."""
    return now - session.seen_at >= _TOUCH


async def touch(db: AsyncConnection, session: Session, *, address: str, now: float) -> None:
    """Remember that it was used, and from where."""
    mine = sessions.c.id == session.id
    await db.execute(update(sessions).where(mine).values(seen_at=now, address=address))


async def of_account(db: AsyncConnection, account_id: str, *, now: float) -> list[Session]:
    """An account's sessions that still hold, the last used first."""
    query = select(sessions).where(
        sessions.c.account_id == account_id,
        sessions.c.expires_at > now,
        sessions.c.seen_at > now - IDLE,
    )
    rows = (await db.execute(query.order_by(sessions.c.seen_at.desc()))).mappings()
    return [msgspec.convert(row, Session) for row in rows]


async def end(db: AsyncConnection, session_id: str) -> None:
    """Log out one session. Keys that pages made in it end with it: gateways are told."""
    await db.execute(delete(sessions).where(sessions.c.id == session_id))
    await changes.note(db)


async def end_all(db: AsyncConnection, account_id: str, *, but: str = "") -> int:
    """Log out an account everywhere, but for the session `but`; how many ended."""
    others = (sessions.c.account_id == account_id, sessions.c.id != but)
    ended = int((await db.execute(delete(sessions).where(*others))).rowcount)
    await changes.note(db)
    return ended


async def delete_expired(db: AsyncConnection, now: float) -> int:
    """Delete sessions that have ended; how many."""
    over = (sessions.c.expires_at <= now) | (sessions.c.seen_at <= now - IDLE)
    return int((await db.execute(delete(sessions).where(over))).rowcount)
