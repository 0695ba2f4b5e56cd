"""Promo codes on a real database."""

import pytest

from oxlo import plans
from oxlo.store import accounts, identity, promos
from oxlo.store.accounts import Account
from oxlo.store.database import Database
from oxlo.store.errors import PromoRefused
from oxlo.store.promos import Promo

NOW = 1_800_000_000.0
DAY = 86400
PLANS = plans.load()


async def _account(database: Database, name: str) -> Account:
    async with database.write() as db:
        return await accounts.create(db, name, PLANS["free"], now=NOW)


async def _redeem(database: Database, account: Account, code: str) -> Account:
    async with database.write() as db:
        await promos.redeem(db, account, code, now=NOW)
        return await identity.by_id(db, account.id)


async def test_more_days_of_trial(database: Database) -> None:
    """Days are added to the trial that runs; case and spaces do not matter."""
    ann = await _account(database, "ann")
    async with database.write() as db:
        await promos.create(db, Promo(code="hack-2026", trial_days=14, created_at=NOW))
    assert (await _redeem(database, ann, " Hack-2026 ")).trial_until == NOW + 21 * DAY


async def test_plan_for_a_time(database: Database) -> None:
    """A plan is given for its days, and then the account is back where it was."""
    ann = await _account(database, "ann")
    async with database.write() as db:
        await promos.create(db, Promo(code="PRO30", plan="pro", plan_days=30, created_at=NOW))
    given = await _redeem(database, ann, "PRO30")
    assert (given.plan, given.plan_until, given.plan_after) == ("pro", NOW + 30 * DAY, "free")
    async with database.write() as db:
        assert await accounts.end_plans(db, NOW + 30 * DAY - 1) == 0
        assert await accounts.end_plans(db, NOW + 30 * DAY) == 1
        after = await identity.by_id(db, ann.id)
    assert (after.plan, after.plan_until, after.plan_after) == ("free", None, None)


async def test_once_each_and_so_many_in_all(database: Database) -> None:
    """An account uses a code once; a code serves as many accounts as it says."""
    ann, bob, cid = [await _account(database, name) for name in ("ann", "bob", "cid")]
    async with database.write() as db:
        await promos.create(db, Promo(code="TWO", trial_days=1, most_uses=2, created_at=NOW))
    await _redeem(database, ann, "TWO")
    with pytest.raises(PromoRefused, match="used by this account"):
        await _redeem(database, ann, "TWO")
    await _redeem(database, bob, "TWO")
    with pytest.raises(PromoRefused, match="no longer valid"):
        await _redeem(database, cid, "TWO")


@pytest.mark.parametrize(
    "wrong",
    [
        {"code": "a", "trial_days": 1},
        {"code": "A B", "trial_days": 1},
        {"code": "ABC"},
        {"code": "ABC", "plan": "pro"},
        {"code": "ABC", "trial_days": 9999},
    ],
)
async def test_codes_that_cannot_be(database: Database, wrong: dict[str, object]) -> None:
    """A code has a shape, and gives something."""
    with pytest.raises(PromoRefused):
        async with database.write() as db:
            await promos.create(db, Promo(**wrong, created_at=NOW))  # type: ignore[arg-type]


async def test_ended_code(database: Database) -> None:
    """A code that was ended, or is over, is refused like one that never was."""
    ann = await _account(database, "ann")
    async with database.write() as db:
        await promos.create(db, Promo(code="END", trial_days=1, created_at=NOW))
        await promos.end(db, "end", now=NOW)
        over = Promo(code="OVER", trial_days=1, created_at=NOW, expires_at=NOW)
        await promos.create(db, over)
    for code in ("END", "OVER", "NEVER"):
        with pytest.raises(PromoRefused, match=code):
            await _redeem(database, ann, code)
