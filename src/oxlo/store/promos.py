"""Promo codes: additional trial days, or a temporary plan."""

import re

import msgspec
from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from oxlo.plans import Plan
from oxlo.store import changes
from oxlo.store.accounts import DAY, Account
from oxlo.store.errors import PromoRefused
from oxlo.store.schema import accounts, promo_uses, promos

_SHAPE = re.compile(r"[A-Z0-9][A-Z0-9-]{2,31}")
_LONGEST_DAYS = 3660


class Promo(msgspec.Struct, frozen=True, kw_only=True):
    """One code; timestamps are unix seconds."""

    code: str
    #: Additional trial days.
    trial_days: int = 0
    #: A plan, and its number of days.
    plan: str | None = None
    plan_days: int = 0
    #: Limit on uses; None: unlimited.
    most_uses: int | None = None
    uses: int = 0
    created_at: float
    expires_at: float | None = None
    #: Set when the operator ends it.
    ended_at: float | None = None

    def holds(self, now: float) -> bool:
        """Whether it can still be used."""
        in_time = self.ended_at is None and (self.expires_at is None or now < self.expires_at)
        return in_time and (self.most_uses is None or self.uses < self.most_uses)


def spelt(code: str) -> str:
    """Normalise a code; case is ignored."""
    return code.strip().upper()


async def create(db: AsyncConnection, promo: Promo) -> Promo:
    """Create a code. Raises PromoRefused if it is invalid or exists already."""
    promo = msgspec.structs.replace(promo, code=spelt(promo.code))
    _check(promo)
    try:
        await db.execute(insert(promos).values(msgspec.structs.asdict(promo)))
    except IntegrityError:
        raise PromoRefused(f"there is already a code {promo.code}") from None
    return promo


def _check(promo: Promo) -> None:
    if not _SHAPE.fullmatch(promo.code):
        raise PromoRefused("a code has 3 to 32 letters, digits and hyphens")
    days = (promo.trial_days, promo.plan_days)
    if not all(0 <= number <= _LONGEST_DAYS for number in days):
        raise PromoRefused(f"days go from 0 to {_LONGEST_DAYS}")
    if bool(promo.plan) != bool(promo.plan_days):
        raise PromoRefused("a plan needs its number of days, and days of a plan need the plan")
    if not any(days):
        raise PromoRefused("a code gives trial days, or a plan for a number of days")


async def everyone(db: AsyncConnection) -> list[Promo]:
    """All codes, newest first."""
    rows = await db.execute(select(promos).order_by(promos.c.created_at.desc(), promos.c.code))
    return [msgspec.convert(row, Promo) for row in rows.mappings()]


async def end(db: AsyncConnection, code: str, *, now: float) -> None:
    """End a code; its past uses stay valid."""
    mine = (promos.c.code == spelt(code), promos.c.ended_at.is_(None))
    await db.execute(update(promos).where(*mine).values(ended_at=now))


async def find(db: AsyncConnection, code: str, *, now: float) -> Promo:
    """Find a usable code. Raises PromoRefused."""
    query = select(promos).where(promos.c.code == spelt(code))
    row = (await db.execute(query)).mappings().first()
    promo = None if row is None else msgspec.convert(row, Promo)
    if promo is None or not promo.holds(now):
        shown = spelt(code)[:32]
        raise PromoRefused(f"The promo code {shown!r} is not known, or no longer valid.")
    return promo


async def redeem(db: AsyncConnection, account: Account, code: str, *, now: float) -> Promo:
    """Apply a code to an account, once. Raises PromoRefused."""
    promo = await find(db, code, now=now)
    await _count(db, promo)
    use = {"code": promo.code, "account_id": account.id, "at": now}
    try:
        await db.execute(insert(promo_uses).values(use))
    except IntegrityError:
        raise PromoRefused(f"The promo code {promo.code} was used by this account.") from None
    await db.execute(
        update(accounts).where(accounts.c.id == account.id).values(_given(account, promo, now))
    )
    await changes.note(db, account.id)
    return promo


async def _count(db: AsyncConnection, promo: Promo) -> None:
    """Count a use within the limit, atomically."""
    free = promos.c.most_uses.is_(None) | (promos.c.uses < promos.c.most_uses)
    counted = update(promos).where(promos.c.code == promo.code, free)
    if (await db.execute(counted.values(uses=promos.c.uses + 1))).rowcount != 1:
        raise PromoRefused(f"The promo code {promo.code} is used up.")


def _given(account: Account, promo: Promo, now: float) -> dict[str, object]:
    given: dict[str, object] = {}
    if promo.trial_days:
        begin = max(account.trial_until or 0.0, now)
        given["trial_until"] = begin + promo.trial_days * DAY
    if promo.plan:
        given["plan"] = promo.plan
        given["plan_until"] = now + promo.plan_days * DAY
        given["plan_after"] = account.plan_after or account.plan
    return given


def words(promo: Promo, plan: Plan | None) -> str:
    """What a code gives, as a sentence for its user."""
    parts = []
    if promo.trial_days:
        parts.append(f"{promo.trial_days} more days of trial")
    if promo.plan:
        parts.append(f"the plan {plan.name if plan else promo.plan} for {promo.plan_days} days")
    return " and ".join(parts)
