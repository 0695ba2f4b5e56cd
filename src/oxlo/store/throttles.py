"""Throttling of log-ins and sign-ups, with delays that double."""

import msgspec
from sqlalchemy import case, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from oxlo.store import upsert
from oxlo.store.schema import brakes

#: Seconds after the last event when a counter is deleted, at the latest.
MEMORY = 86400.0
_LONGEST_EXPONENT = 30
#: Tolerated clock difference between hosts, seconds. Events further in the future were counted
#: before a clock was set back, and are ignored.
_SKEW = 60.0


class Throttle(msgspec.Struct, frozen=True, kw_only=True):
    """A rule: `free` events, then a delay in seconds that doubles with each further one."""

    kind: str
    free: int
    wait: float
    longest: float
    #: Seconds without events after which the counter is reset.
    window: float

    def name(self, what: str) -> str:
        """The counter's name for an address, an e-mail, or both."""
        return f"{self.kind}:{what}"

    def delay(self, count: int) -> float:
        """Delay in seconds after `count` events."""
        over = count - self.free
        return min(self.longest, self.wait * 2 ** min(over, _LONGEST_EXPONENT)) if over >= 0 else 0


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """The result of `take`: the event was counted, or must wait."""

    name: str
    #: Seconds to wait; 0: it was counted.
    wait: float = 0.0
    #: When the next one is allowed, unix seconds.
    until: float = 0.0


async def take(db: AsyncConnection, throttle: Throttle, what: str, *, now: float) -> Turn:
    """Count an event, unless it must wait.

    This is one statement, before the event is processed: of a thousand concurrent ones, no more
    pass than sequentially.
    """
    name, begins_anew = throttle.name(what), brakes.c.last_at <= now - throttle.window
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
    until = now + throttle.delay(count)
    await db.execute(update(brakes).where(mine).values(until=until))
    return Turn(name=name, until=until)


async def undo(db: AsyncConnection, *turns: Turn, now: float) -> None:
    """Remove a successful event from the counter, but not later ones."""
    for turn in turns:
        until = case((brakes.c.until == turn.until, now), else_=brakes.c.until)
        less = {"count": brakes.c.count - 1, "until": until}
        mine = (brakes.c.name == turn.name, brakes.c.count > 0)
        await db.execute(update(brakes).where(*mine).values(less))


async def release(db: AsyncConnection, *names: str) -> None:
    """Reset counters after a successful authentication."""
    await db.execute(delete(brakes).where(brakes.c.name.in_(names)))


async def delete_old(db: AsyncConnection, now: float) -> int:
    """Delete counters without a delay; returns the number."""
    old = (brakes.c.last_at <= now - MEMORY, brakes.c.until <= now)
    return int((await db.execute(delete(brakes).where(*old))).rowcount)
