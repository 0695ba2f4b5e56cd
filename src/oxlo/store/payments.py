"""Subscriptions, invoices, processed payment events, and requests for plans."""

import msgspec
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from oxlo.store import changes
from oxlo.store.accounts import Account
from oxlo.store.schema import accounts, billing_events, invoices, plan_wishes, subscriptions
from oxlo.store.upsert import insert


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription as last reported by the provider; timestamps are unix seconds."""

    account_id: str
    #: Ids at the provider.
    customer: str
    subscription: str
    item: str
    plan: str
    #: The provider's status.
    status: str
    paid_until: float | None = None
    #: When it ends; None: it renews.
    ends_at: float | None = None


class Invoice(msgspec.Struct, frozen=True, kw_only=True):
    """One invoice; `cents` is in hundredths of the currency."""

    id: str
    account_id: str
    number: str
    created_at: float
    cents: int
    currency: str
    status: str
    url: str


class PlanRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A pending request of an account for a plan."""

    account_id: str
    plan: str
    asked_at: float


async def of_account(db: AsyncConnection, account_id: str) -> Subscription | None:
    """The current or last subscription of an account."""
    query = select(subscriptions).where(subscriptions.c.account_id == account_id)
    row = (await db.execute(query)).mappings().first()
    return None if row is None else msgspec.convert(row, Subscription)


async def account_of(db: AsyncConnection, customer: str) -> str:
    """The account of a customer at the provider; "" if unknown."""
    query = select(subscriptions.c.account_id).where(subscriptions.c.customer == customer)
    return str((await db.execute(query)).scalar() or "")


async def keep(db: AsyncConnection, now: Subscription) -> None:
    """Insert or update a subscription."""
    row = msgspec.structs.asdict(now)
    statement = insert(db, subscriptions).values(row)
    await db.execute(statement.on_conflict_do_update(index_elements=["account_id"], set_=row))


async def put(
    db: AsyncConnection, account: Account, plan: str, until: float | None, after: str
) -> None:
    """Set an account's plan, effective from the next call; at `until` it changes to `after`."""
    follows = after if until is not None else None
    chosen = {"plan": plan, "plan_until": until, "plan_after": follows}
    if chosen == {name: getattr(account, name) for name in chosen}:
        return
    await db.execute(update(accounts).where(accounts.c.id == account.id).values(chosen))
    await changes.note(db, account.id)


async def keep_invoice(db: AsyncConnection, invoice: Invoice) -> None:
    """Insert or update an invoice."""
    row = msgspec.structs.asdict(invoice)
    statement = insert(db, invoices).values(row)
    await db.execute(statement.on_conflict_do_update(index_elements=["id"], set_=row))


async def invoices_of(db: AsyncConnection, account_id: str, *, limit: int) -> list[Invoice]:
    """An account's invoices, newest first, without drafts."""
    query = select(invoices).where(invoices.c.account_id == account_id)
    query = query.where(invoices.c.status != "draft").order_by(invoices.c.created_at.desc())
    rows = (await db.execute(query.limit(limit))).mappings()
    return [msgspec.convert(row, Invoice) for row in rows]


async def is_known(db: AsyncConnection, event: str) -> bool:
    """Whether an event was processed."""
    query = select(billing_events.c.id).where(billing_events.c.id == event)
    return (await db.execute(query)).first() is not None


async def note_event(db: AsyncConnection, event: str, kind: str, *, now: float) -> bool:
    """Record a processed event; False if it was processed before."""
    row = {"id": event, "type": kind, "received_at": now}
    statement = insert(db, billing_events).values(row).on_conflict_do_nothing()
    return (await db.execute(statement)).rowcount == 1


async def request_plan(db: AsyncConnection, account_id: str, plan: str, *, now: float) -> None:
    """Record an account's request for a plan, replacing an earlier one."""
    row = {"account_id": account_id, "plan": plan, "asked_at": now}
    statement = insert(db, plan_wishes).values(row)
    changed = {"plan": plan, "asked_at": now}
    await db.execute(statement.on_conflict_do_update(index_elements=["account_id"], set_=changed))


async def plan_request_of(db: AsyncConnection, account_id: str) -> PlanRequest | None:
    """The pending request of an account."""
    query = select(plan_wishes).where(plan_wishes.c.account_id == account_id)
    row = (await db.execute(query)).mappings().first()
    return None if row is None else msgspec.convert(row, PlanRequest)


async def plan_requests(db: AsyncConnection) -> list[PlanRequest]:
    """All pending requests, oldest first."""
    query = select(plan_wishes).order_by(plan_wishes.c.asked_at, plan_wishes.c.account_id)
    return [msgspec.convert(row, PlanRequest) for row in (await db.execute(query)).mappings()]


async def drop_plan_request(db: AsyncConnection, account_id: str, plan: str = "") -> bool:
    """Delete a request, decided or withdrawn; False if it is gone, or for another plan."""
    mine = plan_wishes.c.account_id == account_id
    mine = mine & (plan_wishes.c.plan == plan) if plan else mine
    return (await db.execute(delete(plan_wishes).where(mine))).rowcount == 1
