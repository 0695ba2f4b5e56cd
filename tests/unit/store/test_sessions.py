"""Sessions on a real database."""

import pytest

from oxlo import plans
from oxlo.store import accounts, changes, identity, sessions
from oxlo.store.accounts import Account
from oxlo.store.database import Database

NOW = 1_800_000_000.0


@pytest.fixture
async def ann(database: Database) -> Account:
    """An account on Free."""
    async with database.write() as db:
        return await accounts.create(db, "ann", plans.load()["free"], now=NOW)


async def _begin(database: Database, ann: Account) -> tuple[sessions.Session, str]:
    async with database.write() as db:
        return await sessions.begin(db, ann.id, address="192.0.2.1", agent="Fire\nfox", now=NOW)


async def test_cookie_finds_its_account(database: Database, ann: Account) -> None:
    """A token leads to its session and account; another one to nobody."""
    session, secret = await _begin(database, ann)
    async with database.read() as db:
        assert await sessions.find(db, secret, now=NOW) == (session, ann)
        assert await sessions.find(db, secret + "x", now=NOW) is None
    assert session.agent == "Firefox"
    assert secret not in str(session)


@pytest.mark.parametrize("later", [sessions.IDLE, sessions.LIFE])
async def test_idle_and_old_sessions_end(database: Database, ann: Account, later: float) -> None:
    """Nobody stays logged in for ever, used or not."""
    session, secret = await _begin(database, ann)
    async with database.write() as db:
        if later == sessions.LIFE:
            await sessions.touch(db, session, address="192.0.2.2", now=NOW + later - 1)
        assert await sessions.find(db, secret, now=NOW + later - 2) is not None
        assert await sessions.find(db, secret, now=NOW + later) is None
        assert await sessions.delete_expired(db, NOW + later) == 1


async def test_closed_account_is_logged_out(database: Database, ann: Account) -> None:
    """A session of an account that was closed leads nowhere, also one that begins just then."""
    _, before = await _begin(database, ann)
    async with database.write() as db:
        await identity.close(db, ann, now=NOW)
    _, after = await _begin(database, ann)
    async with database.read() as db:
        assert await sessions.find(db, before, now=NOW) is None
        assert await sessions.find(db, after, now=NOW) is None


async def test_reopened_account_logs_in_anew(database: Database, ann: Account) -> None:
    """What closing has ended stays ended; the next log-in leads to the account again."""
    _, before = await _begin(database, ann)
    async with database.write() as db:
        await identity.close(db, ann, now=NOW)
        await identity.reopen(db, ann)
    session, after = await _begin(database, ann)
    async with database.read() as db:
        assert await sessions.find(db, before, now=NOW) is None
        assert await sessions.find(db, after, now=NOW) == (session, ann)


async def test_sign_out_others(database: Database, ann: Account) -> None:
    """All sessions but one end."""
    kept, secret = await _begin(database, ann)
    await _begin(database, ann)
    async with database.write() as db:
        assert await sessions.end_all(db, ann.id, but=kept.id) == 1
        assert [s.id for s in await sessions.of_account(db, ann.id, now=NOW)] == [kept.id]
        await sessions.end(db, kept)
        assert await sessions.find(db, secret, now=NOW) is None


async def test_replaced(database: Database, ann: Account) -> None:
    """A session that another one replaces has ended, and gateways are told."""
    first = await _begin(database, ann)
    async with database.write() as db:
        before = await changes.count(db)
        second = await sessions.begin(
            db, ann.id, address="", agent="", now=NOW, instead_of=first[0]
        )
        assert await sessions.find(db, first[1], now=NOW) is None
        assert await sessions.find(db, second[1], now=NOW) is not None
        assert await changes.count(db) == before + 1
