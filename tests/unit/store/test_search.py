"""Accounts as operators look for them, on both databases."""

import msgspec
from tests.unit.store.test_calls import ANSWERED

from oxlo import plans
from oxlo.store import accounts, calls, search
from oxlo.store.database import Database


async def test_a_call_finds_its_account(database: Database) -> None:
    """The id of a request, whole, leads to who made it; a part of one leads nowhere."""
    async with database.write() as db:
        ann = await accounts.create(db, "ann", plans.load()["free"], now=1.0)
        await accounts.create(db, "bob", plans.load()["free"], now=1.0)
        await calls.save(db, [msgspec.structs.replace(ANSWERED, id="req_9x", account_id=ann.id)])
    async with database.read() as db:
        found = await search.accounts(db, "req_9x", begin=0, limit=9)
        assert [account.name for account in found] == ["ann"]
        assert await search.accounts(db, "req_9", begin=0, limit=9) == []
