"""Searching accounts, for operators."""

from collections.abc import Collection
from typing import Any

import msgspec
from sqlalchemy import CompoundSelect, func, or_, select, union
from sqlalchemy.ext.asyncio import AsyncConnection

from oxlo.store.accounts import Account
from oxlo.store.schema import accounts as table
from oxlo.store.schema import calls, keys, promos


async def accounts(db: AsyncConnection, text: str, *, begin: int, limit: int) -> list[Account]:
    """Accounts whose name, e-mail address or id contains the text, newest first.

    A request id, a key id, or the beginning of a key also finds its account.
    """
    query = select(table)
    if text:
        columns = (table.c.name, table.c.email, table.c.id)
        own = (column.icontains(text, autoescape=True) for column in columns)
        query = query.where(or_(*own, table.c.id.in_(_owners(text))))
    query = query.order_by(table.c.created_at.desc(), table.c.id).offset(begin).limit(limit)
    return [msgspec.convert(row, Account) for row in (await db.execute(query)).mappings()]


def _owners(text: str) -> CompoundSelect[Any]:
    """The account ids of a call or key."""
    key = or_(keys.c.id == text, keys.c.prefix == text)
    return union(
        select(calls.c.account_id).where(calls.c.id == text),
        select(keys.c.account_id).where(key, ~keys.c.hidden),
    )


async def number(db: AsyncConnection) -> int:
    """The number of accounts."""
    return int((await db.execute(select(func.count()).select_from(table))).scalar_one())


async def by_plan(db: AsyncConnection) -> dict[str, int]:
    """The number of accounts by plan."""
    query = select(table.c.plan, func.count()).group_by(table.c.plan)
    return {plan: int(count) for plan, count in await db.execute(query)}


async def plans_to_come(db: AsyncConnection) -> set[str]:
    """Plans that are scheduled for accounts, or given by promo codes."""
    after = select(table.c.plan_after).where(table.c.plan_after.is_not(None))
    coded = select(promos.c.plan).where(promos.c.plan.is_not(None), promos.c.ended_at.is_(None))
    return {str(row[0]) for query in (after, coded) for row in await db.execute(query.distinct())}


async def names(db: AsyncConnection, ids: Collection[str]) -> dict[str, str]:
    """Account names by id."""
    query = select(table.c.id, table.c.name).where(table.c.id.in_(list(ids)))
    return {row.id: row.name for row in await db.execute(query)}
