"""Accounts on a real SQLite file."""

import asyncio

import pytest

from oxlo import plans
from oxlo.store import accounts, changes
from oxlo.store.database import Database
from oxlo.store.errors import AccountExists, AccountNotFound, InvalidAccount

PLANS = plans.load()
NOW = 1_800_000_000.0
SIGNING = b"installation secret"


async def test_trial_starts_at_creation(database: Database) -> None:
    """A new account on Free has its trial for the plan's days."""
    async with database.write() as db:
        made = await accounts.create(db, "ann", PLANS["free"], now=NOW, email="ann@Example.COM")
    async with database.read() as db:
        assert await accounts.find(db, "ann") == made
        assert await accounts.find(db, made.id) == made
    assert made.id.startswith("acct_")
    assert made.trial_until == NOW + 7 * 86400
    assert made.email == "ann@example.com"


async def test_no_trial_no_end(database: Database) -> None:
    """A plan without trial days leaves the trial empty."""
    async with database.write() as db:
        made = await accounts.create(db, "ann", PLANS["pro"], now=NOW)
    assert made.trial_until is None


@pytest.mark.parametrize("second", [("ann", None), ("bob", "ann@example.com")])
async def test_duplicates_are_refused(database: Database, second: tuple[str, str | None]) -> None:
    """A name and an e-mail address each belong to one account; the failure leaves no trace."""
    async with database.write() as db:
        await accounts.create(db, "ann", PLANS["free"], now=NOW, email="ann@example.com")
        before = await changes.count(db)
    with pytest.raises(AccountExists, match=second[0]):
        async with database.write() as db:
            await accounts.create(db, second[0], PLANS["free"], now=NOW, email=second[1])
    async with database.read() as db:
        assert await changes.count(db) == before
        assert len(await accounts.everyone(db)) == 1


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 81])
async def test_unusable_names(database: Database, name: str) -> None:
    """Names are printable and of bounded length."""
    with pytest.raises(InvalidAccount):
        async with database.write() as db:
            await accounts.create(db, name, PLANS["free"], now=NOW)


@pytest.mark.parametrize("email", ["ann", "@example.com", "a b@example.com", "ann@"])
async def test_unusable_emails(database: Database, email: str) -> None:
    """An e-mail address has two sides and no spaces."""
    with pytest.raises(InvalidAccount, match="e-mail"):
        async with database.write() as db:
            await accounts.create(db, "ann", PLANS["free"], now=NOW, email=email)


async def test_plan_change_is_announced(database: Database) -> None:
    """Setting a plan writes it and raises the change counter."""
    async with database.write() as db:
        made = await accounts.create(db, "ann", PLANS["free"], now=NOW)
        before = await changes.count(db)
        await accounts.set_plan(db, made, PLANS["premium"])
    async with database.read() as db:
        assert (await accounts.find(db, "ann")).plan == "premium"
        assert await changes.count(db) == before + 1


async def test_unknown_account(database: Database) -> None:
    """A name that nobody has is a clear error."""
    async with database.read() as db:
        with pytest.raises(AccountNotFound, match="'nobody'"):
            await accounts.find(db, "nobody")


async def test_operator_is_made_once(database: Database) -> None:
    """The first call makes the operator with a key; the second finds it and shows no key."""
    results = []
    for _ in range(2):
        async with database.write() as db:
            plan = PLANS["premium"]
            results.append(await accounts.ensure_operator(db, plan, signing=SIGNING, now=NOW))
    (first, secret), (second, nothing) = results
    assert first == second
    assert (first.name, first.role, first.plan) == ("operator", "operator", "premium")
    assert secret is not None
    assert secret.startswith("sk_")
    assert nothing is None


async def test_operator_of_many_hosts(database: Database) -> None:
    """Hosts that start at once share one operator, and one of them gets its key."""

    async def start() -> str | None:
        async with database.write() as db:
            plan = PLANS["premium"]
            return (await accounts.ensure_operator(db, plan, signing=SIGNING, now=NOW))[1]

    secrets = await asyncio.gather(*(start() for _ in range(4)))
    assert sum(secret is not None for secret in secrets) == 1


async def test_operator_beside_users(database: Database) -> None:
    """Accounts that were made before the first start do not keep the operator out."""
    async with database.write() as db:
        ann = await accounts.create(db, "ann", PLANS["free"], now=NOW)
        made, secret = await accounts.ensure_operator(
            db, PLANS["premium"], signing=SIGNING, now=NOW
        )
    assert (ann.role, made.role) == ("user", "operator")
    assert secret is not None


async def test_operators_name_is_taken(database: Database) -> None:
    """A user's account is never made the operator's because of its name."""
    async with database.write() as db:
        await accounts.create(db, "operator", PLANS["free"], now=NOW)
        with pytest.raises(AccountExists, match="operator"):
            await accounts.ensure_operator(db, PLANS["premium"], signing=SIGNING, now=NOW)


async def test_parallel_writers_all_count(database: Database) -> None:
    """Twenty writers at once: each is in, and the counter has risen by twenty."""

    async def one(number: int) -> None:
        async with database.write() as db:
            await accounts.everyone(db)  # a read first: the transaction must still get its turn
            await accounts.create(db, f"user-{number}", PLANS["free"], now=NOW)

    await asyncio.gather(*map(one, range(20)))
    async with database.read() as db:
        assert await changes.count(db) == 20
        assert len(await accounts.everyone(db)) == 20
