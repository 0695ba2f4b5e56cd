"""The change counter: how gateways learn that accounts or keys are not what they cached."""

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from oxlo.store.schema import meta

_NAME = "changes"


async def count(db: AsyncConnection) -> int:
    """The counter; it only rises."""
    return int((await db.execute(select(meta.c.value).where(meta.c.name == _NAME))).scalar_one())


async def note(db: AsyncConnection) -> None:
    """Raise the counter: part of every transaction that writes accounts or keys."""
    await db.execute(update(meta).where(meta.c.name == _NAME).values(value=meta.c.value + 1))
