"""The change counter, by which gateways know that cached accounts or keys are outdated."""

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from oxlo.store.schema import meta

_NAME = "changes"


async def count(db: AsyncConnection) -> int:
    """The current value; it only increases."""
    return int((await db.execute(select(meta.c.value).where(meta.c.name == _NAME))).scalar_one())


async def note(db: AsyncConnection) -> None:
    """Increment the counter, in every transaction that writes accounts or keys."""
    await db.execute(update(meta).where(meta.c.name == _NAME).values(value=meta.c.value + 1))
