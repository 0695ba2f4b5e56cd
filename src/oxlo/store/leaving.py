"""Deleting accounts: data is erased, receipts are anonymised."""

from sqlalchemy import delete, update
from sqlalchemy.ext.asyncio import AsyncConnection

from oxlo.store import changes, mails
from oxlo.store.accounts import Account
from oxlo.store.schema import (
    accounts,
    audit,
    calls,
    grants,
    identities,
    invoices,
    keys,
    plan_wishes,
    promo_uses,
    recovery_codes,
    sessions,
    subscriptions,
    tokens,
)

#: Account id of anonymised receipts.
NOBODY = "deleted"

_OWNED = (
    sessions,
    tokens,
    recovery_codes,
    identities,
    promo_uses,
    grants,
    keys,
    subscriptions,
    invoices,
    plan_wishes,
)


async def delete_account(db: AsyncConnection, account: Account) -> None:
    """Erase an account. Receipts and audit entries stay, anonymised."""
    for table in _OWNED:
        await db.execute(delete(table).where(table.c.account_id == account.id))
    anonymous = {"account_id": NOBODY, "key_id": NOBODY}
    await db.execute(update(calls).where(calls.c.account_id == account.id).values(anonymous))
    mine = audit.c.actor == account.id
    await db.execute(update(audit).where(mine).values(address="", detail=""))
    if account.email:
        await mails.forget(db, account.email)
    await db.execute(delete(accounts).where(accounts.c.id == account.id))
    await changes.note(db, account.id)
