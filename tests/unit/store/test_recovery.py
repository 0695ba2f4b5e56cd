"""Recovery codes on both databases."""

from oxlo import plans
from oxlo.store import accounts, identity, leaving, recovery
from oxlo.store.accounts import Account
from oxlo.store.database import Database


async def _account(database: Database, name: str = "ann") -> Account:
    plan = next(iter(plans.load(None)))
    async with database.write() as db:
        account = await accounts.create(db, name, plan, now=1.0)
        await recovery.renew(db, account.id, ["a", "b"], now=2.0)
    return account


async def test_a_code_works_once(database: Database) -> None:
    """What was used is used, and one fewer is left."""
    ann = await _account(database)
    async with database.write() as db:
        assert await recovery.use(db, ann.id, "a", now=3.0)
        assert not await recovery.use(db, ann.id, "a", now=4.0)
        assert await recovery.left(db, ann.id) == 1


async def test_codes_are_of_one_account(database: Database) -> None:
    """The same digest of somebody else opens nothing."""
    await _account(database)
    bob = await _account(database, "bob")
    async with database.write() as db:
        await recovery.forget(db, bob.id)
        assert not await recovery.use(db, bob.id, "a", now=3.0)


async def test_new_codes_end_old_ones(database: Database) -> None:
    """Codes that were kept stop working when others are made."""
    ann = await _account(database)
    async with database.write() as db:
        await recovery.renew(db, ann.id, ["c"], now=3.0)
        assert not await recovery.use(db, ann.id, "b", now=4.0)
        assert await recovery.left(db, ann.id) == 1


async def test_codes_end_with_what_they_stand_for(database: Database) -> None:
    """Without one-time codes there is nothing to recover, and a deleted account leaves none."""
    ann, bob = await _account(database), await _account(database, "bob")
    async with database.write() as db:
        await identity.end_totp(db, ann)
        await leaving.delete_account(db, bob)
        assert [await recovery.left(db, one.id) for one in (ann, bob)] == [0, 0]
