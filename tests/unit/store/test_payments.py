"""Subscriptions, invoices, events and plan requests, on each kind of database."""

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from oxlo import plans
from oxlo.plans import apikey
from oxlo.store import accounts, changes, keys, leaving, payments, sessions
from oxlo.store.accounts import Account
from oxlo.store.database import Database
from oxlo.store.payments import Invoice, Subscription
from oxlo.store.sessions import Session

NOW = 1_800_000_000.0
SIGNING = b"s" * 32


async def ann(db: AsyncConnection) -> Account:
    return await accounts.create(db, "ann", plans.load()["free"], now=NOW, email="a@example.com")


def paid(account: Account, **more: object) -> Subscription:
    known = {"customer": "cus_1", "subscription": "sub_1", "item": "si_1", "plan": "pro"}
    return Subscription(account_id=account.id, status="active", **(known | more))  # type: ignore[arg-type]


async def test_newest_subscription_is_kept(database: Database) -> None:
    """An account has one; its customer leads back to it."""
    async with database.write() as db:
        account = await ann(db)
        await payments.keep(db, paid(account))
        await payments.keep(db, paid(account, plan="premium", paid_until=NOW))
        assert await payments.of_account(db, account.id) == paid(
            account, plan="premium", paid_until=NOW
        )
        assert await payments.account_of(db, "cus_1") == account.id
        assert await payments.account_of(db, "cus_2") == ""


async def test_event_is_noted_once(database: Database) -> None:
    """Whoever notes it first handles it."""
    async with database.write() as db:
        assert not await payments.is_known(db, "evt_1")
        noted = [await payments.note_event(db, "evt_1", "a", now=NOW) for _ in range(2)]
        assert noted == [True, False]
        assert await payments.is_known(db, "evt_1")


async def test_invoices_newest_first(database: Database) -> None:
    """As they are now; a draft is no invoice yet."""
    async with database.write() as db:
        account = await ann(db)
        for number, status in (("1", "open"), ("1", "paid"), ("2", "open"), ("3", "draft")):
            invoice = Invoice(
                id=f"in_{number}", account_id=account.id, number=number,
                created_at=NOW + int(number),
                cents=1490, currency="usd", status=status, url="",
            )  # fmt: skip
            await payments.keep_invoice(db, invoice)
        found = await payments.invoices_of(db, account.id, limit=9)
    assert [(one.id, one.status) for one in found] == [("in_2", "open"), ("in_1", "paid")]


async def test_plan_is_put_with_its_end(database: Database) -> None:
    """Gateways are told once: the same again is no change."""
    async with database.write() as db:
        account = await ann(db)
        before = await changes.count(db)
        await payments.put(db, account, "pro", NOW + 9, "free")
        account = await accounts.find(db, "ann")
        await payments.put(db, account, "pro", NOW + 9, "free")
        assert await changes.count(db) == before + 1
    assert (account.plan, account.plan_until, account.plan_after) == ("pro", NOW + 9, "free")


async def test_plan_request_is_decided_as_it_was_seen(database: Database) -> None:
    """One plan request per account; one for another plan is not taken for it."""
    async with database.write() as db:
        account = await ann(db)
        for plan in ("pro", "premium"):
            await payments.request_plan(db, account.id, plan, now=NOW)
        assert [request.plan for request in await payments.plan_requests(db)] == ["premium"]
        assert not await payments.drop_plan_request(db, account.id, "pro")
        assert await payments.drop_plan_request(db, account.id, "premium")
        assert await payments.plan_request_of(db, account.id) is None


async def test_account_leaves_with_all_of_it(database: Database) -> None:
    """Nothing of what it paid stays here."""
    async with database.write() as db:
        account = await ann(db)
        await payments.keep(db, paid(account))
        await payments.request_plan(db, account.id, "pro", now=NOW)
        await leaving.delete_account(db, account)
        assert await payments.of_account(db, account.id) is None


async def _hidden(db: AsyncConnection, session: Session, *, now: float) -> tuple[keys.Key, str]:
    """A key of a session."""
    owner, ends = session.account_id, session.expires_at
    return await keys.issue_hidden(
        db, owner, session.id, session_ends=ends, signing=SIGNING, now=now
    )


@pytest.mark.parametrize("everywhere", [True, False])
async def test_hidden_key_ends_with_its_session(database: Database, *, everywhere: bool) -> None:
    """However the session ends; gateways are told to ask again."""
    async with database.write() as db:
        account = await ann(db)
        session, _ = await sessions.begin(db, account.id, address="", agent="", now=NOW)
        _, secret = await _hidden(db, session, now=NOW)
        assert await keys.caller(db, apikey.digest(secret), now=NOW)
        before = await changes.count(db)
        if everywhere:
            await sessions.end_all(db, account.id)
        else:
            await sessions.end(db, session)
        assert await keys.caller(db, apikey.digest(secret), now=NOW) is None
        assert await changes.count(db) > before


@pytest.mark.parametrize(("left", "lasts"), [(keys.HIDDEN_LIFE + 1, keys.HIDDEN_LIFE), (60, 60)])
async def test_hidden_key_does_not_outlive_its_session(
    database: Database, left: float, lasts: float
) -> None:
    """It expires with a session that nobody ends: gateways are not told of that."""
    async with database.write() as db:
        account = await ann(db)
        session, _ = await sessions.begin(db, account.id, address="", agent="", now=NOW)
        now = session.expires_at - left
        key, _ = await _hidden(db, session, now=now)
        assert key.expires_at == now + lasts
