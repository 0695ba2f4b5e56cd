"""Recovery codes, each of which replaces a TOTP code once. Only digests are stored."""

from collections.abc import Iterable

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from oxlo.store.schema import recovery_codes

_CODES = recovery_codes.c


async def renew(
    db: AsyncConnection, account_id: str, digests: Iterable[str], *, now: float
) -> None:
    """Replace all codes of an account by new ones."""
    await forget(db, account_id)
    rows = [{"account_id": account_id, "digest": d, "created_at": now} for d in digests]
    await db.execute(insert(recovery_codes), rows)


async def use(db: AsyncConnection, account_id: str, digest: str, *, now: float) -> bool:
    """Use a code; False if it is invalid or was used before."""
    mine = (_CODES.account_id == account_id, _CODES.digest == digest, _CODES.used_at.is_(None))
    used = update(recovery_codes).where(*mine).values(used_at=now)
    return (await db.execute(used)).rowcount == 1


async def left(db: AsyncConnection, account_id: str) -> int:
    """Number of unused codes."""
    query = select(func.count()).select_from(recovery_codes)
    query = query.where(_CODES.account_id == account_id, _CODES.used_at.is_(None))
    return int((await db.execute(query)).scalar_one())


async def forget(db: AsyncConnection, account_id: str) -> None:
    """Delete all codes of an account."""
    await db.execute(delete(recovery_codes).where(_CODES.account_id == account_id))
