"""API keys: created here, shown once, stored as SHA-256."""

import secrets
from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec
from sqlalchemy import RowMapping, bindparam, delete, exists, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from oxlo.ledger.windows import DAY
from oxlo.plans import apikey
from oxlo.plans.caller import Caller
from oxlo.store import changes, grants
from oxlo.store.errors import InvalidScope, KeyNotFound
from oxlo.store.schema import accounts, keys, sessions

#: Characters of a key that are stored readably, so that its owner can recognise it.
SHOWN = 10
#: Lifetime of a hidden key, seconds.
HIDDEN_LIFE = 3600.0
#: Seconds until a hidden key is deleted; until then receipts can show it.
_HIDDEN_KEPT = 90.0 * DAY


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """Restrictions of a key; an empty set means no restriction."""

    models: frozenset[str] = frozenset()
    endpoints: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """One key, without its secret; timestamps are unix seconds."""

    id: str
    account_id: str
    name: str
    #: The first characters of the secret.
    prefix: str
    sha256: str
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None
    models: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    last_used_at: float | None = None
    #: Created for the portal's own calls, and never shown; `name` is the session's id, with which
    #: it ends.
    hidden: bool = False

    def state(self, now: float) -> str:
        """`active`, `expired` or `revoked`."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "active"


async def issue(
    db: AsyncConnection,
    account_id: str,
    *,
    name: str,
    signing: bytes,
    now: float,
    expires_at: float | None = None,
    scope: Scope | None = None,
    hidden: bool = False,
) -> tuple[Key, str]:
    """Create a key for an account; the second item is its secret, which is not stored.

    `signing` is the installation's secret, with which gateways recognise genuine keys.
    """
    secret = apikey.mint(signing)
    scope = scope or Scope()
    key = Key(
        id=f"key_{secrets.token_hex(12)}",
        account_id=account_id,
        name=name,
        prefix=secret[:SHOWN],
        sha256=apikey.digest(secret),
        created_at=now,
        expires_at=expires_at,
        models=tuple(sorted(scope.models)),
        endpoints=tuple(sorted(scope.endpoints)),
        origins=tuple(sorted(scope.origins)),
        hidden=hidden,
    )
    await db.execute(insert(keys).values(msgspec.structs.asdict(key)))
    await changes.note(db, account_id)
    return key, secret


async def issue_hidden(
    db: AsyncConnection,
    account_id: str,
    session_id: str,
    *,
    session_ends: float,
    origins: frozenset[str] = frozenset(),
    signing: bytes,
    now: float,
) -> tuple[Key, str]:
    """Create a key for a portal session: valid for an hour, or until the session ends.

    A session has only one: its previous key is revoked. Nobody is told when a session expires, so
    the key never expires later.
    """
    mine = (keys.c.account_id == account_id) & keys.c.hidden
    await db.execute(delete(keys).where(mine, keys.c.expires_at <= now - _HIDDEN_KEPT))
    before = update(keys).where(mine, keys.c.name == session_id, keys.c.revoked_at.is_(None))
    await db.execute(before.values(revoked_at=now))
    return await issue(
        db,
        account_id,
        name=session_id,
        signing=signing,
        now=now,
        expires_at=min(now + HIDDEN_LIFE, session_ends),
        scope=Scope(origins=origins),
        hidden=True,
    )


async def of_account(db: AsyncConnection, account_id: str) -> list[Key]:
    """An account's keys, oldest first, including revoked ones."""
    query = select(keys).where(keys.c.account_id == account_id)
    rows = (await db.execute(query.order_by(keys.c.created_at, keys.c.id))).mappings()
    return [msgspec.convert(row, Key) for row in rows]


async def revoke(db: AsyncConnection, key_id: str, *, now: float) -> Key:
    """Revoke a key; idempotent. Raises KeyNotFound."""
    row = (await db.execute(select(keys).where(keys.c.id == key_id))).mappings().first()
    if row is None:
        raise KeyNotFound(f"there is no key {key_id!r}; `oxlo keys list --account NAME` shows ids")
    key = msgspec.convert(row, Key)
    if key.revoked_at is not None:
        return key
    await db.execute(update(keys).where(keys.c.id == key_id).values(revoked_at=now))
    await changes.note(db, key.account_id)
    return msgspec.structs.replace(key, revoked_at=now)


async def expire(db: AsyncConnection, key: Key, *, at: float, now: float) -> Key:
    """Let a key expire at a time, never later than before. Revoke it to end it at once."""
    if at <= now:
        return await revoke(db, key.id, now=now)
    ends = at if key.expires_at is None else min(at, key.expires_at)
    await db.execute(update(keys).where(keys.c.id == key.id).values(expires_at=ends))
    await changes.note(db, key.account_id)
    return msgspec.structs.replace(key, expires_at=ends)


async def rename(db: AsyncConnection, key: Key, name: str) -> None:
    """Rename a key; gateways do not need to know."""
    await db.execute(update(keys).where(keys.c.id == key.id).values(name=name))


async def caller(db: AsyncConnection, sha256: str, *, now: float) -> Caller | None:
    """The caller of a key by its hash; None if it is unknown, revoked or expired."""
    in_session = exists().where(sessions.c.id == keys.c.name)
    query = (
        select(keys, accounts.c.name.label("account_name"), accounts.c.plan, accounts.c.role)
        .add_columns(accounts.c.trial_until, changes.COUNTER.label("as_of"))
        .join(accounts, accounts.c.id == keys.c.account_id)
        .where(keys.c.sha256 == sha256, keys.c.revoked_at.is_(None))
        .where(accounts.c.disabled_at.is_(None), ~keys.c.hidden | in_session)
    )
    row = (await db.execute(query)).mappings().first()
    if row is None or (row["expires_at"] is not None and row["expires_at"] <= now):
        return None
    granted = await grants.by_day(db, row["account_id"], int(now // DAY))
    return _caller(row, granted)


async def touch(db: AsyncConnection, used: Mapping[str, float]) -> None:
    """Record when keys were last used: {key id: unix seconds}.

    This is not logged as a change, because gateways do not cache it.
    """
    later = keys.c.last_used_at.is_(None) | (keys.c.last_used_at < bindparam("used_at"))
    statement = (update(keys).where(keys.c.id == bindparam("key_id"), later)).values(
        last_used_at=bindparam("used_at")
    )
    if used:
        rows = [{"key_id": key, "used_at": at} for key, at in sorted(used.items())]
        await db.execute(statement, rows)


def origin(text: str) -> str:
    """Normalise an origin to scheme, host and port. Raises InvalidScope."""
    parts = urlsplit(text.strip().rstrip("/"))
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path or parts.query:
        raise InvalidScope(f"{text!r} is not an origin such as https://app.example.com")
    return f"{parts.scheme}://{parts.netloc}".lower()


def _caller(row: RowMapping, granted: tuple[tuple[int, int], ...]) -> Caller:
    return Caller(
        account=row["account_id"],
        account_name=row["account_name"],
        key=row["id"],
        plan=row["plan"],
        trial_until=row["trial_until"] or 0.0,
        expires_at=row["expires_at"] or 0.0,
        models=frozenset(row["models"]),
        endpoints=frozenset(row["endpoints"]),
        origins=frozenset(row["origins"]),
        role=row["role"],
        grants=granted,
        as_of=row["as_of"],
    )
