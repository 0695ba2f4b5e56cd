"""Brakes: who fails, or signs up, too often waits longer each time."""

from collections.abc import Iterable

import msgspec
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from oxlo.store import upsert
from oxlo.store.schema import brakes

#: Seconds after the last event in which everything is forgotten, at the latest.
MEMORY = 86400.0
_LONGEST_EXPONENT = 30


class Brake(msgspec.Struct, frozen=True, kw_only=True):
    """A rule: `free` events, then a wait that doubles with each further one, in seconds."""

    kind: str
    free: int
    wait: float
    longest: float
    #: Seconds without an event after which counting begins anew.
    window: float

    def name(self, what: str) -> str:
        """The counter of this rule for an address, an e-mail, or both."""
        return f"{self.kind}:{what}"

    def delay(self, count: int) -> float:
        """Seconds to wait after `count` events."""
        over = count - self.free
        return min(self.longest, self.wait * 2 ** min(over, _LONGEST_EXPONENT)) if over >= 0 else 0


async def waits(db: AsyncConnection, names: Iterable[str], *, now: float) -> float:
    """Seconds until the last of these counters lets somebody through; 0: at once."""
    query = select(brakes.c.until).where(brakes.c.name.in_(list(names)))
    latest = max((row.until for row in await db.execute(query)), default=0.0)
    return float(max(0.0, latest - now))


async def note(db: AsyncConnection, brake: Brake, what: str, *, now: float) -> float:
    """Count an event; the seconds that the next one has to wait."""
    name = brake.name(what)
    row = (await db.execute(select(brakes).where(brakes.c.name == name))).mappings().first()
    known = row is not None and now - row["last_at"] < brake.window
    count = (row["count"] if row is not None and known else 0) + 1
    delay = brake.delay(count)
    values = {"count": count, "last_at": now, "until": now + delay}
    insert = upsert.insert(db, brakes).values(name=name, **values)
    await db.execute(insert.on_conflict_do_update(index_elements=["name"], set_=values))
    return delay


async def release(db: AsyncConnection, *names: str) -> None:
    """Forget counters: whoever they counted has proved who they are."""
    await db.execute(delete(brakes).where(brakes.c.name.in_(names)))


async def delete_old(db: AsyncConnection, now: float) -> int:
    """Delete counters that hold nobody back; how many."""
    old = (brakes.c.last_at <= now - MEMORY, brakes.c.until <= now)
    return int((await db.execute(delete(brakes).where(*old))).rowcount)
