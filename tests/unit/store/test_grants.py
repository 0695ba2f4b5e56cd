"""Grants and refunds on a real database."""

import msgspec
import pytest
from tests.unit.store.test_calls import ANSWERED, DAY, RUNNING

from oxlo import plans
from oxlo.plans import apikey
from oxlo.store import accounts, calls, changes, grants, keys
from oxlo.store.database import Database
from oxlo.store.errors import CallNotFound, InvalidGrant

NOW = DAY * 86400 + 600.0


async def test_gateways_are_told(database: Database) -> None:
    """A key's caller has what its account was granted from today on, and gateways ask again."""
    async with database.write() as db:
        account = await accounts.create(db, "ann", plans.load()["free"], now=NOW)
        _, secret = await keys.issue(db, account.id, name="k", signing=b"s", now=NOW)
        before = await changes.count(db)
        for requests, day in ((5, DAY), (2, DAY), (9, DAY + 1)):
            reason = "x" * grants.REASON_MAX
            await grants.give(db, account.id, requests, reason, day=day, now=NOW)
        assert await changes.count(db) == before + 3
        caller = await keys.caller(db, apikey.digest(secret), now=NOW)
        assert caller is not None
        assert [caller.granted(DAY + n) for n in range(3)] == [7, 9, 0]
        tomorrow = await keys.caller(db, apikey.digest(secret), now=NOW + 86400)
        assert tomorrow is not None
        assert tomorrow.grants == ((DAY + 1, 9),)


async def test_call_is_refunded_once(database: Database) -> None:
    """A refund names its call, and a second one is refused."""
    async with database.write() as db:
        await calls.save(db, [ANSWERED])
        given = await grants.refund(db, "req_1", "wrong answer", now=NOW)
    assert (given.requests, given.request_id, given.day) == (1, "req_1", DAY)
    with pytest.raises(InvalidGrant, match="refunded already"):
        async with database.write() as db:
            await grants.refund(db, "req_1", "again", now=NOW)
    async with database.read() as db:
        assert await grants.of_call(db, "req_1") == given
        assert await grants.between(db, "acct_1", DAY, DAY + 1) == [given]


@pytest.mark.parametrize(
    "call", [RUNNING, msgspec.structs.replace(ANSWERED, counted=False)], ids=["running", "free"]
)
async def test_nothing_to_refund(database: Database, call: calls.Call) -> None:
    """What is not charged is not given back."""
    async with database.write() as db:
        await calls.save(db, [call])
        with pytest.raises(InvalidGrant):
            await grants.refund(db, "req_1", "please", now=NOW)
        with pytest.raises(CallNotFound):
            await grants.refund(db, "req_9", "please", now=NOW)


@pytest.mark.parametrize(
    ("requests", "reason", "day"),
    [
        (0, "x", DAY),
        (2_000_000, "x", DAY),
        (1, " ", DAY),
        (1, "a\nb", DAY),
        (1, "x" * (grants.REASON_MAX + 1), DAY),
        (1, "x", DAY - 1),
    ],
)
async def test_odd_grants(database: Database, requests: int, reason: str, day: int) -> None:
    """Nothing, too much, an odd reason, or yesterday: refused."""
    async with database.write() as db:
        with pytest.raises(InvalidGrant):
            await grants.give(db, "acct_1", requests, reason, day=day, now=NOW)
