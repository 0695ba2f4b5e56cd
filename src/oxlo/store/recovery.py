"""Recovery codes: each logs in once, instead of a one-time code. Only digests are kept."""

from collections.abc import Iterable

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from oxlo.store.schema import recovery_codes

_CODES = recovery_codes.c


async def renew(
    db: AsyncConnection, account_id: str, digests: Iterable[str], *, now: float
) -> None:
    """Put new codes in the place of all that the account had."""
    await forget(db, account_id)
    rows = [{"account_id": account_id, "digest": d, "created_at": now} for d in digests]
    await db.execute(insert(recovery_codes), rows)


async def use(db: AsyncConnection, account_id: str, digest: str, *, now: float) -> bool:
    """Use up a code; False where it is not one of the account's, or was used before."""
    mine = (_CODES.account_id == account_id, _CODES.digest == digest, _CODES.used_at.is_(None))
    used = update(recovery_codes).where(*mine).values(used_at=now)
    return (await db.execute(used)).rowcount == 1


async def left(db: AsyncConnection, account_id: str) -> int:
    """How many codes still log in."""
    query = select(func.count()).select_from(recovery_codes)
    query = query.where(_CODES.account_id == account_id, _CODES.used_at.is_(None))
    return int((await db.execute(query)).scalar_one())


async def forget(db: AsyncConnection, account_id: str) -> None:
    """The account has no codes any more."""
    await db.execute(delete(recovery_codes).where(_CODES.account_id == account_id))
