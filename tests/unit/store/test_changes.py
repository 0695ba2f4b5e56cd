"""Which accounts changed since a gateway last asked, on a real database."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import delete, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from oxlo import plans
from oxlo.plans.caller import Changes
from oxlo.store import (
    accounts,
    changes,
    grants,
    identity,
    keys,
    leaving,
    payments,
    promos,
    sessions,
)
from oxlo.store.accounts import Account
from oxlo.store.database import Database
from oxlo.store.promos import Promo
from oxlo.store.schema import change_log, meta

NOW = 1_800_000_000.0
PLANS = plans.load()
SIGNING = b"installation secret"

Write = Callable[[AsyncConnection, Account], Awaitable[object]]


@pytest.fixture
async def ann(database: Database) -> Account:
    """An account on Free."""
    async with database.write() as db:
        return await accounts.create(db, "ann", PLANS["free"], now=NOW)


async def _note(database: Database, *ids: str) -> None:
    async with database.write() as db:
        await changes.note(db, *ids)


async def _since(database: Database, number: int) -> Changes:
    async with database.read() as db:
        return await changes.since(db, number)


async def _told(database: Database, number: int) -> tuple[int, frozenset[str] | None]:
    """The number of the last change, and the accounts that changed since another one."""
    reply = await _since(database, number)
    return reply.counter, reply.accounts


async def _key(db: AsyncConnection, ann: Account) -> keys.Key:
    key, _ = await keys.issue(db, ann.id, name="one", signing=SIGNING, now=NOW)
    return key


async def _revoke(db: AsyncConnection, ann: Account) -> None:
    await keys.revoke(db, (await _key(db, ann)).id, now=NOW)


async def _expire(db: AsyncConnection, ann: Account) -> None:
    await keys.expire(db, await _key(db, ann), at=NOW + 60, now=NOW)


async def _redeem(db: AsyncConnection, ann: Account) -> None:
    await promos.create(db, Promo(code="MORE", plan="pro", plan_days=1, created_at=NOW))
    await promos.redeem(db, ann, "MORE", now=NOW)


async def _outlive(db: AsyncConnection, ann: Account) -> None:
    await payments.put(db, ann, "pro", NOW, "free")
    assert await accounts.end_plans(db, NOW) == 1


async def _leave(db: AsyncConnection, ann: Account) -> None:
    session, _ = await sessions.begin(db, ann.id, address="", agent="", now=NOW)
    await sessions.end(db, session)


@pytest.mark.parametrize(
    ("write", "times"),
    [
        (_key, 1),
        (_revoke, 2),
        (_expire, 2),
        (_redeem, 1),
        (_outlive, 2),
        (_leave, 1),
        (lambda db, ann: sessions.end_all(db, ann.id), 1),
        (lambda db, ann: accounts.set_plan(db, ann, PLANS["pro"]), 1),
        (lambda db, ann: grants.give(db, ann.id, 5, "sorry", day=20_833, now=NOW), 1),
        (lambda db, ann: identity.rename(db, ann, "anna"), 1),
        (lambda db, ann: identity.close(db, ann, now=NOW), 2),
        (identity.reopen, 1),
        (lambda db, ann: identity.set_role(db, ann, "operator"), 1),
        (leaving.delete_account, 1),
    ],
)
async def test_writes_are_logged(
    database: Database, ann: Account, write: Write, times: int
) -> None:
    """Whatever gateways cache of an account, a write to it is logged as a change of it alone."""
    await _note(database, "acct_other")
    before = (await _since(database, 0)).counter
    async with database.write() as db:
        await write(db, ann)
    assert await _told(database, before) == (before + times, {ann.id})


async def test_nothing_since(database: Database, ann: Account) -> None:
    """Whoever knows the last change hears of no account."""
    last = (await _since(database, 0)).counter
    assert await _told(database, last) == (last, set())
    assert await _told(database, 0) == (last, {ann.id})


async def test_log_is_bounded(database: Database) -> None:
    """The log keeps the newest changes; whoever missed others is told that any account may have."""
    await _note(database, *(f"acct_{number}" for number in range(changes.KEPT)))
    await _note(database, "acct_last")
    reply = await _since(database, 1)
    assert reply.accounts is not None
    assert len(reply.accounts) == changes.KEPT
    assert "acct_last" in reply.accounts
    assert reply.since_mark is None
    assert (await _since(database, 2)).since_mark is not None
    assert await _told(database, 0) == (changes.KEPT + 1, None)


async def test_change_by_an_earlier_version(database: Database) -> None:
    """A host that has not been upgraded only counts: any account may have changed."""
    await _note(database, "acct_1")
    async with database.write() as db:
        await db.execute(update(meta).values(value=meta.c.value + 1))
    await _note(database, "acct_2")
    assert await _told(database, 1) == (3, None)
    assert await _told(database, 2) == (3, {"acct_2"})
    assert (await _since(database, 2)).since_mark is None


async def test_older_database(database: Database) -> None:
    """Whoever saw more changes than a database that was restored has to look up everything."""
    await _note(database, "acct_1")
    assert await _told(database, 5) == (1, None)


async def test_older_database_that_changed(database: Database) -> None:
    """Changes after a restore have other marks than those with the same numbers before it."""
    await _note(database, "acct_1", "acct_2", "acct_3")
    first, last = await _since(database, 1), await _since(database, 3)
    assert last.mark == last.since_mark == first.mark
    async with database.write() as db:
        await db.execute(delete(change_log).where(change_log.c.number > 1))
        await db.execute(update(meta).values(value=1))
    await _note(database, "acct_4", "acct_5", "acct_6")
    assert (await _since(database, 1)).since_mark == first.since_mark
    assert (await _since(database, 3)).since_mark not in (None, last.mark)


async def test_taken_back(database: Database) -> None:
    """A transaction that fails leaves neither a number nor a line."""
    with pytest.raises(IntegrityError):
        await _note(database, "acct_1", None)  # type: ignore[arg-type]
    await _note(database)
    assert await _told(database, 0) == (0, set())


async def test_many_writers(database: Database) -> None:
    """Changes that are made at once get different numbers, and none is lost."""
    await asyncio.gather(*(_note(database, f"acct_{n}", f"acct_{n}b") for n in range(8)))
    reply = await _since(database, 0)
    assert reply.counter == 16
    assert len(reply.accounts or ()) == 16
    async with database.read() as db:
        assert len((await db.execute(change_log.select())).all()) == 16
