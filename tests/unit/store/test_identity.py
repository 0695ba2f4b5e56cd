"""How accounts are found, changed and deleted, on a real database."""

import pytest

from oxlo import plans
from oxlo.control import call_records
from oxlo.store import accounts, audit, calls, identity, keys, leaving, mails, sessions, tokens
from oxlo.store.accounts import Account
from oxlo.store.database import Database
from oxlo.store.errors import AccountExists, AccountNotFound
from oxlo.testing import journal

NOW = 1_800_000_000.0


async def _account(database: Database, name: str) -> Account:
    async with database.write() as db:
        email = f"{name}@example.com"
        return await accounts.create(db, name, plans.load()["free"], now=NOW, email=email)


async def test_found_by_address_in_any_case(database: Database) -> None:
    """People are not told apart by the case of their address."""
    ann = await _account(database, "ann")
    async with database.read() as db:
        assert await identity.by_email(db, " Ann@EXAMPLE.com ") == ann
        assert await identity.by_email(db, "bob@example.com") is None


async def test_taken_names_and_addresses(database: Database) -> None:
    """A change that would collide is refused in words."""
    ann, bob = await _account(database, "ann"), await _account(database, "bob")
    with pytest.raises(AccountExists, match="'ann' is taken"):
        async with database.write() as db:
            await identity.rename(db, bob, "ann")
    with pytest.raises(AccountExists, match="Another account"):
        async with database.write() as db:
            await identity.set_email(db, bob, ann.email or "")


async def test_new_address_is_not_proved(database: Database) -> None:
    """Who changes the address proves it again."""
    ann = await _account(database, "ann")
    async with database.write() as db:
        await identity.verify(db, ann, now=NOW)
        await identity.set_email(db, ann, "new@example.com")
        changed = await identity.by_id(db, ann.id)
    assert (changed.email, changed.verified_at) == ("new@example.com", None)


async def test_code_of_a_step_works_once(database: Database) -> None:
    """A one-time code is used up, and so are those before it."""
    ann = await _account(database, "ann")
    async with database.write() as db:
        used = [await identity.use_step(db, ann, step) for step in (10, 10, 9, 11)]
    assert used == [True, False, False, True]


async def test_a_wrong_clock_locks_nobody_out(database: Database) -> None:
    """A code that was used by a clock an hour ahead does not end those of the hour."""
    ann = await _account(database, "ann")
    async with database.write() as db:
        used = [await identity.use_step(db, ann, step) for step in (1120, 1000, 1000, 1001)]
    assert used == [True, True, False, True]


async def test_provider_finds_its_account(database: Database) -> None:
    """An account elsewhere leads to the one that it was linked with."""
    ann = await _account(database, "ann")
    async with database.write() as db:
        await identity.link(db, ann, "github", "42", now=NOW)
        assert await identity.by_provider(db, "github", "42") == ann
        assert await identity.by_provider(db, "google", "42") is None
        assert await identity.linked(db, ann.id) == ["github"]
        await identity.unlink(db, ann.id, "github")
        assert await identity.by_provider(db, "github", "42") is None


async def test_deleted_account_leaves_nameless_receipts(database: Database) -> None:
    """All that is the account's goes; its receipts stay and name nobody."""
    ann, bob = await _account(database, "ann"), await _account(database, "bob")
    async with database.write() as db:
        key, _ = await keys.issue(db, ann.id, name="k", signing=b"s", now=NOW)
        await sessions.begin(db, ann.id, address="192.0.2.1", agent="", now=NOW)
        await tokens.issue(db, ann.id, "reset", now=NOW)
        await mails.post(db, "ann@example.com", "s", "b", now=NOW)
        await audit.write(db, "login", actor=ann.id, target=ann.id, now=NOW, address="192.0.2.1")
        records = [journal.settled("r1", account=ann.id, key=key.id)]
        await calls.save(db, call_records.calls([*records, journal.settled("r2", account=bob.id)]))
    async with database.write() as db:
        await leaving.delete_account(db, ann)
    async with database.read() as db:
        with pytest.raises(AccountNotFound):
            await identity.by_id(db, ann.id)
        gone, stays = await calls.find(db, "r1"), await calls.find(db, "r2")
        assert gone is not None
        assert stays is not None
        assert (gone.account_id, gone.key_id) == (leaving.NOBODY, leaving.NOBODY)
        assert stays.account_id == bob.id
        assert await mails.latest(db) == []
        assert [e.address for e in await audit.latest(db, about=ann.id, limit=9)] == [""]
