"""Accounts and their plans."""

import secrets
from typing import Any

import msgspec
from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from oxlo.plans import Plan
from oxlo.store import changes, keys
from oxlo.store.errors import AccountExists, AccountNotFound, InvalidAccount
from oxlo.store.schema import accounts

DAY = 86400
NAME_MAX = 80
#: Limit of mail servers.
EMAIL_MAX = 254
OPERATOR = "operator"


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """One account; timestamps are unix seconds."""

    id: str
    name: str
    email: str | None = None
    #: `user` or `operator`.
    role: str = "user"
    plan: str
    trial_until: float | None = None
    created_at: float
    #: Set by the portal; an account without one only has API keys.
    password_hash: str | None = None
    disabled_at: float | None = None
    #: When the e-mail address was verified.
    verified_at: float | None = None
    #: From which the TOTP secret is derived; active once `totp_at` is set.
    totp_nonce: str | None = None
    totp_at: float | None = None
    #: Time step of the last code used: each code works once.
    totp_step: int | None = None
    #: When `plan` changes to `plan_after`; None: never.
    plan_until: float | None = None
    plan_after: str | None = None


async def create(
    db: AsyncConnection,
    name: str,
    plan: Plan,
    *,
    now: float,
    email: str | None = None,
    role: str = "user",
) -> Account:
    """Create an account; its trial, if the plan has one, starts now.

    Raises AccountExists or InvalidAccount.
    """
    account = Account(
        id=f"acct_{secrets.token_hex(12)}",
        name=checked_name(name),
        email=None if email is None else checked_email(email),
        role=role,
        plan=plan.id,
        trial_until=now + plan.trial_days * DAY if plan.trial_days else None,
        created_at=now,
    )
    await _insert(db, account)
    return account


async def find(db: AsyncConnection, name: str) -> Account:
    """Find an account by name or id. Raises AccountNotFound."""
    query = select(accounts).where((accounts.c.name == name) | (accounts.c.id == name))
    row = (await db.execute(query.order_by(accounts.c.id != name).limit(1))).mappings().first()
    if row is None:
        raise AccountNotFound(f"there is no account {name!r}; `oxlo accounts list` shows them")
    return msgspec.convert(row, Account)


async def free_name(db: AsyncConnection, wanted: str) -> str:
    """The name, or a variation of it if it is taken."""
    taken = select(accounts.c.name).where(accounts.c.name == wanted)
    if (await db.execute(taken)).first() is None:
        return wanted
    return f"{wanted[: NAME_MAX - 9]}-{secrets.token_hex(4)}"


async def everyone(db: AsyncConnection) -> list[Account]:
    """All accounts, oldest first."""
    query = select(accounts).order_by(accounts.c.created_at, accounts.c.id)
    return [msgspec.convert(row, Account) for row in (await db.execute(query)).mappings()]


async def set_plan(db: AsyncConnection, account: Account, plan: Plan) -> Account:
    """Change the plan, effective from the next call; a running trial continues.

    A scheduled change of plan is cancelled.
    """
    chosen: dict[str, Any] = {"plan": plan.id, "plan_until": None, "plan_after": None}
    await db.execute(update(accounts).where(accounts.c.id == account.id).values(chosen))
    await changes.note(db, account.id)
    return msgspec.structs.replace(account, **chosen)


async def ensure_operator(
    db: AsyncConnection, plan: Plan, *, signing: bytes, now: float
) -> tuple[Account, str | None]:
    """The operator's account, created with a first key if there is none.

    The key's secret is returned only if it was just created. Raises AccountExists if another
    account has the operator's name.
    """
    found = await _operator(db)
    if found is None:
        # Of two hosts that start at once, the second waits here, and then finds the first one's
        # operator.
        await changes.lock(db)
        found = await _operator(db)
    if found is not None:
        return found, None
    account = await create(db, OPERATOR, plan, now=now, role="operator")
    _, secret = await keys.issue(db, account.id, name="first key", signing=signing, now=now)
    return account, secret


async def _operator(db: AsyncConnection) -> Account | None:
    """The oldest operator account."""
    query = select(accounts).where(accounts.c.role == "operator")
    row = (await db.execute(query.order_by(accounts.c.created_at).limit(1))).mappings().first()
    return None if row is None else msgspec.convert(row, Account)


async def _insert(db: AsyncConnection, account: Account) -> None:
    try:
        await db.execute(insert(accounts).values(msgspec.structs.asdict(account)))
    except IntegrityError:
        taken = repr(account.name) + (f" or e-mail {account.email!r}" if account.email else "")
        raise AccountExists(f"an account with the name {taken} exists already") from None
    await changes.note(db, account.id)


def checked_name(name: str) -> str:
    """Normalise a name. Raises InvalidAccount."""
    name = name.strip()
    if not name or len(name) > NAME_MAX or not name.isprintable():
        raise InvalidAccount(f"a name has 1 to {NAME_MAX} printable characters, not {name[:100]!r}")
    return name


def checked_email(email: str) -> str:
    """Normalise an e-mail address; case is ignored.

    Raises InvalidAccount.
    """
    email = email.strip()
    local, _, domain = email.rpartition("@")
    usable = len(email) <= EMAIL_MAX and email.isprintable() and not any(map(str.isspace, email))
    if not local or not domain or not usable:
        raise InvalidAccount(f"{email[:100]!r} is not an e-mail address")
    return email.lower()


async def plan_ends(db: AsyncConnection, now: float) -> bool:
    """Whether any temporary plan has ended."""
    query = select(accounts.c.id).where(accounts.c.plan_until <= now).limit(1)
    return (await db.execute(query)).first() is not None


async def end_plans(db: AsyncConnection, now: float) -> int:
    """Move accounts whose temporary plan has ended to their next plan; returns the number."""
    over = accounts.c.plan_until <= now
    after = {"plan": accounts.c.plan_after, "plan_until": None, "plan_after": None}
    statement = update(accounts).where(over).values(after).returning(accounts.c.id)
    ended = (await db.execute(statement)).scalars().all()
    await changes.note(db, *ended)
    return len(ended)
