"""Brakes: who fails, or signs up, too often waits longer each time."""

import msgspec
from sqlalchemy import case, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from oxlo.store import upsert
from oxlo.store.schema import brakes

#: Seconds after the last event in which everything is forgotten, at the latest.
MEMORY = 86400.0
_LONGEST_EXPONENT = 30
#: Seconds by which the clocks of hosts may differ: what was counted later than that was counted
#: before a clock was set back, and nobody is kept waiting for that.
_SKEW = 60.0


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


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """An event that was counted before it happened; or, where `wait` is not 0, was not."""

    name: str
    #: Seconds until its turn.
    wait: float = 0.0
    #: When the next one may come, in unix seconds.
    until: float = 0.0


async def take(db: AsyncConnection, brake: Brake, what: str, *, now: float) -> Turn:
    """Count an event, unless it has to wait.

    Counting comes first, in one statement: of a thousand at the same moment no more get their turn
    than one after another would.
    """
    name, begins_anew = brake.name(what), brakes.c.last_at <= now - brake.window
    comes = (brakes.c.until <= now) | (brakes.c.last_at > now + _SKEW)
    more = {"count": case((begins_anew, 1), else_=brakes.c.count + 1), "last_at": now}
    counting = (
        upsert.insert(db, brakes)
        .values(name=name, count=1, last_at=now, until=now)
        .on_conflict_do_update(index_elements=["name"], set_=more, where=comes)
        .returning(brakes.c.count)
    )
    count = (await db.execute(counting)).scalar()
    mine = brakes.c.name == name
    if count is None:
        until = (await db.execute(select(brakes.c.until).where(mine))).scalar_one()
        return Turn(name=name, wait=until - now, until=until)
    until = now + brake.delay(count)
    await db.execute(update(brakes).where(mine).values(until=until))
    return Turn(name=name, until=until)


async def undo(db: AsyncConnection, *turns: Turn, now: float) -> None:
    """Events that went well are not held against anybody; those that came after them are."""
    for turn in turns:
        until = case((brakes.c.until == turn.until, now), else_=brakes.c.until)
        less = {"count": brakes.c.count - 1, "until": until}
        mine = (brakes.c.name == turn.name, brakes.c.count > 0)
        await db.execute(update(brakes).where(*mine).values(less))


async def release(db: AsyncConnection, *names: str) -> None:
    """Forget counters: whoever they counted has proved who they are."""
    await db.execute(delete(brakes).where(brakes.c.name.in_(names)))


async def delete_old(db: AsyncConnection, now: float) -> int:
    """Delete counters that hold nobody back; how many."""
    old = (brakes.c.last_at <= now - MEMORY, brakes.c.until <= now)
    return int((await db.execute(delete(brakes).where(*old))).rowcount)
