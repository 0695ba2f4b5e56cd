"""How far the journal has been drained, by segment."""

from collections.abc import Collection

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from oxlo.store import upsert
from oxlo.store.schema import journal_positions as positions


async def every(db: AsyncConnection) -> dict[str, int]:
    """Segment file name to the byte up to which it is in SQL."""
    rows = await db.execute(select(positions.c.segment, positions.c.position))
    return {row.segment: row.position for row in rows}


async def move(db: AsyncConnection, segment: str, *, old: int, new: int) -> bool:
    """Move a segment's position; False when another drain moved it first: then roll back."""
    first = upsert.insert(db, positions).values(segment=segment, position=0)
    await db.execute(first.on_conflict_do_nothing())
    where = (positions.c.segment == segment, positions.c.position == old)
    moved = await db.execute(update(positions).where(*where).values(position=new))
    return moved.rowcount == 1


async def forget(db: AsyncConnection, segments: Collection[str]) -> None:
    """Drop the positions of segments that are gone."""
    if segments:
        await db.execute(delete(positions).where(positions.c.segment.in_(segments)))
