"""Positions up to which journal segments have been drained."""

from collections.abc import Collection

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from oxlo.store import upsert
from oxlo.store.schema import journal_positions as positions


async def every(db: AsyncConnection) -> dict[str, int]:
    """Byte positions by segment file name."""
    rows = await db.execute(select(positions.c.segment, positions.c.position))
    return {row.segment: row.position for row in rows}


async def move(db: AsyncConnection, segment: str, *, old: int, new: int) -> bool:
    """Advance a position; False if another process did so first, which requires a rollback."""
    first = upsert.insert(db, positions).values(segment=segment, position=0)
    await db.execute(first.on_conflict_do_nothing())
    where = (positions.c.segment == segment, positions.c.position == old)
    moved = await db.execute(update(positions).where(*where).values(position=new))
    return moved.rowcount == 1


async def forget(db: AsyncConnection, segments: Collection[str]) -> None:
    """Delete the positions of deleted segments."""
    if segments:
        await db.execute(delete(positions).where(positions.c.segment.in_(segments)))
