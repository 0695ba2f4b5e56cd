"""Authentication data of accounts: password, e-mail address, TOTP, external providers."""

from typing import Any

import msgspec
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from oxlo.store import changes, recovery, sessions
from oxlo.store.accounts import Account, checked_email, checked_name
from oxlo.store.errors import AccountExists, AccountNotFound
from oxlo.store.schema import accounts, identities

#: Tolerated clock difference in TOTP time steps: a code of a later step was used while a clock was
#: wrong.
_STEPS_AHEAD = 10


async def by_email(db: AsyncConnection, email: str) -> Account | None:
    """Find an account by e-mail address."""
    return await _one(db, accounts.c.email == checked_email(email))


async def by_id(db: AsyncConnection, account_id: str) -> Account:
    """Find an account by id. Raises AccountNotFound."""
    account = await _one(db, accounts.c.id == account_id)
    if account is None:
        raise AccountNotFound(f"there is no account {account_id!r}")
    return account


async def by_provider(db: AsyncConnection, provider: str, subject: str) -> Account | None:
    """Find an account by its login at an external provider."""
    mine = (identities.c.provider == provider, identities.c.subject == subject)
    return await _one(db, accounts.c.id.in_(select(identities.c.account_id).where(*mine)))


async def _one(db: AsyncConnection, where: Any) -> Account | None:
    row = (await db.execute(select(accounts).where(where))).mappings().first()
    return None if row is None else msgspec.convert(row, Account)


async def set_password(db: AsyncConnection, account: Account, hashed: str | None) -> None:
    """Set the password hash; None removes the password."""
    await _set(db, account, password_hash=hashed)


async def verify(db: AsyncConnection, account: Account, *, now: float) -> None:
    """Mark the e-mail address as verified."""
    await _set(db, account, verified_at=now)


async def rename(db: AsyncConnection, account: Account, name: str) -> None:
    """Rename the account. Raises AccountExists, InvalidAccount."""
    name = checked_name(name)
    try:
        await _set(db, account, name=name)
    except IntegrityError:
        raise AccountExists(f"The name {name!r} is taken.") from None
    await changes.note(db, account.id)  # gateways report the account's name


async def set_email(db: AsyncConnection, account: Account, email: str) -> str:
    """Change the address, which is then unverified. Raises AccountExists, InvalidAccount."""
    checked = checked_email(email)
    try:
        await _set(db, account, email=checked, verified_at=None)
    except IntegrityError:
        raise AccountExists("Another account has this e-mail address.") from None
    return checked


async def offer_totp(db: AsyncConnection, account: Account, nonce: str) -> None:
    """Start the setup of TOTP; it is required only after `confirm_totp`."""
    await _set(db, account, totp_nonce=nonce, totp_at=None, totp_step=None)


async def confirm_totp(db: AsyncConnection, account: Account, *, now: float) -> None:
    """Activate TOTP."""
    await _set(db, account, totp_at=now)


async def end_totp(db: AsyncConnection, account: Account) -> None:
    """Deactivate TOTP, and delete the recovery codes."""
    await _set(db, account, totp_nonce=None, totp_at=None, totp_step=None)
    await recovery.forget(db, account.id)


async def use_step(db: AsyncConnection, account: Account, step: int) -> bool:
    """Use the code of a time step; False if that or a later one was used before.

    A step that is minutes in the future was used while a clock was wrong, and is ignored.
    """
    used = accounts.c.totp_step
    free = used.is_(None) | (used < step) | (used > step + _STEPS_AHEAD)
    moved = update(accounts).where(accounts.c.id == account.id, free).values(totp_step=step)
    return (await db.execute(moved)).rowcount == 1


async def close(db: AsyncConnection, account: Account, *, now: float) -> None:
    """Close the account: its keys are rejected, and its sessions end."""
    await _set(db, account, disabled_at=now)
    await sessions.end_all(db, account.id)
    await changes.note(db, account.id)


async def reopen(db: AsyncConnection, account: Account) -> None:
    """Reopen a closed account with its keys."""
    await _set(db, account, disabled_at=None)
    await changes.note(db, account.id)


async def set_role(db: AsyncConnection, account: Account, role: str) -> None:
    """Set the role: `user` or `operator`."""
    await _set(db, account, role=role)
    await changes.note(db, account.id)


async def link(
    db: AsyncConnection, account: Account, provider: str, subject: str, *, now: float
) -> None:
    """Link a login at an external provider."""
    row = {"provider": provider, "subject": subject, "account_id": account.id, "created_at": now}
    await db.execute(insert(identities).values(row))


async def linked(db: AsyncConnection, account_id: str) -> list[str]:
    """The linked providers."""
    query = select(identities.c.provider).where(identities.c.account_id == account_id)
    return [row.provider for row in await db.execute(query.order_by(identities.c.provider))]


async def unlink(db: AsyncConnection, account_id: str, *providers: str) -> None:
    """Unlink providers."""
    mine = (identities.c.account_id == account_id, identities.c.provider.in_(providers))
    await db.execute(delete(identities).where(*mine))


async def _set(db: AsyncConnection, account: Account, **values: object) -> None:
    await db.execute(update(accounts).where(accounts.c.id == account.id).values(values))
