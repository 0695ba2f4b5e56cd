"""The log of changes to accounts and keys, by which gateways know whom to look up again.

Each change has a number, the value of a counter. Writers lock the counter, so that changes are
committed in the order of their numbers.
"""

import secrets
from typing import Final

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from oxlo.plans.caller import Changes
from oxlo.store.schema import change_log, meta

#: Number of changes that the log keeps; gateways ask twice a second.
KEPT: Final = 1000

_COUNTER: Final = meta.c.name == "changes"
#: The counter, for use within another query.
COUNTER: Final = select(meta.c.value).where(_COUNTER).scalar_subquery()


async def count(db: AsyncConnection) -> int:
    """The number of the last change."""
    return int((await db.execute(select(COUNTER))).scalar_one())


async def lock(db: AsyncConnection) -> None:
    """Let other transactions that change accounts or keys wait until the end of this one."""
    await _advance(db, 0)


async def note(db: AsyncConnection, *accounts: str) -> None:
    """Log a change of these accounts or their keys, in the transaction that makes it."""
    if not accounts:
        return
    await _advance(db, len(accounts))
    last = await count(db)
    numbers = range(last - len(accounts) + 1, last + 1)
    rows = [_row(n, account) for n, account in zip(numbers, accounts, strict=True)]
    await db.execute(insert(change_log), rows)
    await db.execute(delete(change_log).where(change_log.c.number <= last - KEPT))


async def since(db: AsyncConnection, number: int) -> Changes:
    """The accounts that changed after a change; unknown if the log does not hold all of them.

    It does not if there were too many, if the database was restored from a backup, or if a host
    with an earlier version, which only counts changes, made one.
    """
    last = await count(db)
    query = select(change_log).where(change_log.c.number.between(number, last))
    marks, later = {}, []
    for at, account, mark in await db.execute(query):
        marks[at] = mark
        if at > number:
            later.append(account)
    return Changes(
        counter=last,
        accounts=frozenset(later) if len(later) == last - number else None,
        mark=marks.get(last),
        since_mark=marks.get(number),
    )


def _row(number: int, account: str) -> dict[str, object]:
    return {"number": number, "account_id": account, "mark": secrets.randbits(63)}


async def _advance(db: AsyncConnection, by: int) -> None:
    await db.execute(update(meta).where(_COUNTER).values(value=meta.c.value + by))
