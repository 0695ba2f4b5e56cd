"""Single-use links; their tokens are stored as SHA-256."""

import hashlib
import secrets
from typing import Literal

import msgspec
from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from oxlo.store.errors import TokenSpent
from oxlo.store.schema import tokens

Purpose = Literal["verify", "reset", "welcome"]

#: Lifetime of a link, seconds.
LIVES: dict[Purpose, float] = {"verify": 3 * 86400, "reset": 3600, "welcome": 7 * 86400}


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """One link; timestamps are unix seconds."""

    sha256: str
    account_id: str
    purpose: Purpose
    #: The address that it was sent to, and verifies.
    email: str | None = None
    created_at: float
    expires_at: float
    used_at: float | None = None


def digest(secret: str) -> str:
    """The SHA-256 that is stored instead of a token; 256 random bits need no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()


async def issue(
    db: AsyncConnection,
    account_id: str,
    purpose: Purpose,
    *,
    now: float,
    email: str | None = None,
) -> str:
    """Create a link, and invalidate earlier ones of the same purpose; returns the secret."""
    mine = (tokens.c.account_id == account_id, tokens.c.purpose == purpose)
    await db.execute(delete(tokens).where(*mine))
    secret = secrets.token_urlsafe(32)
    token = Token(
        sha256=digest(secret),
        account_id=account_id,
        purpose=purpose,
        email=email,
        created_at=now,
        expires_at=now + LIVES[purpose],
    )
    await db.execute(insert(tokens).values(msgspec.structs.asdict(token)))
    return secret


async def welcome(db: AsyncConnection, account_id: str, base_url: str, *, now: float) -> str:
    """Create a link for setting an account's password, for the operator to pass on."""
    return f"{base_url}/welcome?token={await issue(db, account_id, 'welcome', now=now)}"


async def peek(db: AsyncConnection, secret: str, *purposes: Purpose, now: float) -> Token:
    """Look up a valid link without using it. Raises TokenSpent."""
    query = select(tokens).where(tokens.c.sha256 == digest(secret), tokens.c.purpose.in_(purposes))
    row = (await db.execute(query)).mappings().first()
    if row is None or row["used_at"] is not None or row["expires_at"] <= now:
        raise TokenSpent(TokenSpent.__doc__)
    return msgspec.convert(row, Token)


async def use(db: AsyncConnection, secret: str, *purposes: Purpose, now: float) -> Token:
    """Use a link, atomically. Raises TokenSpent."""
    token = await peek(db, secret, *purposes, now=now)
    unused = (tokens.c.sha256 == token.sha256, tokens.c.used_at.is_(None))
    if (await db.execute(update(tokens).where(*unused).values(used_at=now))).rowcount != 1:
        raise TokenSpent(TokenSpent.__doc__)
    return token


async def forget(db: AsyncConnection, account_id: str, *purposes: Purpose) -> None:
    """Invalidate an account's links; all of them if no purpose is given."""
    query = delete(tokens).where(tokens.c.account_id == account_id)
    await db.execute(query.where(tokens.c.purpose.in_(purposes)) if purposes else query)


async def delete_expired(db: AsyncConnection, now: float) -> int:
    """Delete links that nobody can use any more; how many."""
    return int((await db.execute(delete(tokens).where(tokens.c.expires_at <= now))).rowcount)
