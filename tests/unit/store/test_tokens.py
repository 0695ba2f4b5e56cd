"""Links that work once, on a real database."""

import pytest

from oxlo import plans
from oxlo.store import accounts, tokens
from oxlo.store.accounts import Account
from oxlo.store.database import Database
from oxlo.store.errors import TokenSpent
from oxlo.store.schema import tokens as table

NOW = 1_800_000_000.0


@pytest.fixture
async def ann(database: Database) -> Account:
    """An account on Free."""
    async with database.write() as db:
        return await accounts.create(db, "ann", plans.load()["free"], now=NOW)


async def test_works_once(database: Database, ann: Account) -> None:
    """A link is good for one use, and says whose it is and which address it proves."""
    async with database.write() as db:
        secret = await tokens.issue(db, ann.id, "verify", now=NOW, email="a@b.example")
        used = await tokens.use(db, secret, "verify", now=NOW + 1)
        assert (used.account_id, used.email) == (ann.id, "a@b.example")
        with pytest.raises(TokenSpent):
            await tokens.use(db, secret, "verify", now=NOW + 1)


@pytest.mark.parametrize(("purpose", "later"), [("verify", 1.0), ("reset", 3600.0)])
async def test_wrong_purpose_and_old(
    database: Database, ann: Account, purpose: tokens.Purpose, later: float
) -> None:
    """A reset link holds an hour, and confirms no address."""
    async with database.write() as db:
        secret = await tokens.issue(db, ann.id, "reset", now=NOW)
        with pytest.raises(TokenSpent):
            await tokens.use(db, secret, purpose, now=NOW + later)


async def test_new_link_ends_the_old(database: Database, ann: Account) -> None:
    """Of two reset mails the second one counts."""
    async with database.write() as db:
        first = await tokens.issue(db, ann.id, "reset", now=NOW)
        await tokens.issue(db, ann.id, "reset", now=NOW)
        with pytest.raises(TokenSpent):
            await tokens.use(db, first, "reset", now=NOW)


async def test_secret_is_not_stored(database: Database, ann: Account) -> None:
    """The table holds a hash; what is expired goes."""
    async with database.write() as db:
        secret = await tokens.issue(db, ann.id, "reset", now=NOW)
        row = (await db.execute(table.select())).one()
        assert secret not in str(row)
        assert await tokens.delete_expired(db, NOW) == 0
        assert await tokens.delete_expired(db, NOW + 3600) == 1
