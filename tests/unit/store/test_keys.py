"""Keys on a real SQLite file."""

from pathlib import Path

import pytest
from sqlalchemy import update

from oxlo import plans
from oxlo.plans import apikey
from oxlo.store import accounts, changes, keys
from oxlo.store.accounts import Account
from oxlo.store.database import Database
from oxlo.store.errors import InvalidScope, KeyNotFound
from oxlo.store.schema import accounts as accounts_table

NOW = 1_800_000_000.0
SIGNING = b"installation secret"


@pytest.fixture
async def ann(database: Database) -> Account:
    """An account on Free."""
    async with database.write() as db:
        return await accounts.create(db, "ann", plans.load()["free"], now=NOW)


async def _issue(
    database: Database, owner: Account, *, expires_at: float | None = None
) -> tuple[keys.Key, str]:
    async with database.write() as db:
        return await keys.issue(
            db, owner.id, name="test", signing=SIGNING, now=NOW, expires_at=expires_at
        )


def _bytes(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())


async def test_shape_of_a_key(database: Database, ann: Account) -> None:
    """A key has its length and prefix, and gateways know it as genuine."""
    key, secret = await _issue(database, ann)
    assert len(secret) == 46
    assert secret.startswith(key.prefix)
    assert apikey.genuine(secret, SIGNING)


async def test_secret_is_stored_nowhere(tmp_path: Path, sqlite: Database) -> None:
    """The files of the database hold a key's hash, and no more of it than its prefix."""
    async with sqlite.write() as db:
        ann = await accounts.create(db, "ann", plans.load()["free"], now=NOW)
    key, secret = await _issue(sqlite, ann)
    stored = _bytes(tmp_path)
    assert key.sha256.encode() in stored
    assert secret[len(key.prefix) :].encode() not in stored


async def test_caller_of_a_key(database: Database, ann: Account) -> None:
    """A gateway learns the account, the plan, the trial and how the key is narrowed."""
    scope = keys.Scope(models=frozenset({"m1"}), origins=frozenset({"https://a.example"}))
    async with database.write() as db:
        key, secret = await keys.issue(
            db, ann.id, name="web", signing=SIGNING, now=NOW, expires_at=NOW + 9, scope=scope
        )
        caller = await keys.caller(db, apikey.digest(secret), now=NOW)
    assert caller is not None
    assert (caller.account, caller.key, caller.plan, caller.role) == (
        ann.id,
        key.id,
        "free",
        "user",
    )
    assert (caller.trial_until, caller.expires_at) == (ann.trial_until, NOW + 9)
    assert (caller.models, caller.origins) == (scope.models, scope.origins)
    assert caller.endpoints == frozenset()


async def test_expired_key_is_nobody(database: Database, ann: Account) -> None:
    """A key works until the moment that it expires."""
    key, _ = await _issue(database, ann, expires_at=NOW + 60)
    async with database.read() as db:
        assert await keys.caller(db, key.sha256, now=NOW + 59) is not None
        assert await keys.caller(db, key.sha256, now=NOW + 60) is None


async def test_disabled_account_is_nobody(database: Database, ann: Account) -> None:
    """No key of a disabled account works."""
    key, _ = await _issue(database, ann)
    async with database.write() as db:
        await db.execute(update(accounts_table).values(disabled_at=NOW))
        assert await keys.caller(db, key.sha256, now=NOW) is None


async def test_revoked_once_for_good(database: Database, ann: Account) -> None:
    """Revoking ends the key and is announced once; a second time changes nothing."""
    key, _ = await _issue(database, ann)
    async with database.write() as db:
        before = await changes.count(db)
        await keys.revoke(db, key.id, now=NOW + 1)
        again = await keys.revoke(db, key.id, now=NOW + 2)
        assert again.revoked_at == NOW + 1
        assert await changes.count(db) == before + 1
        assert await keys.caller(db, key.sha256, now=NOW) is None


async def test_unknown_key(database: Database) -> None:
    """Revoking a key that is not there says how to find ids."""
    with pytest.raises(KeyNotFound, match="keys list"):
        async with database.write() as db:
            await keys.revoke(db, "key_none", now=NOW)


async def test_last_use_is_not_a_change(database: Database, ann: Account) -> None:
    """The moment of use only moves on, and gateways are not told."""
    key, _ = await _issue(database, ann)
    async with database.write() as db:
        before = await changes.count(db)
        await keys.touch(db, {key.id: NOW + 10, "key_gone": NOW})
        await keys.touch(db, {key.id: NOW + 5})
        (found,) = await keys.of_account(db, ann.id)
        assert found.last_used_at == NOW + 10
        assert await changes.count(db) == before


def test_state_of_a_key() -> None:
    """A revoked key is revoked, whether or not it has expired too."""
    key = keys.Key(
        id="k", account_id="a", name="", prefix="", sha256="", created_at=0, expires_at=5
    )
    assert key.state(4) == "active"
    assert key.state(5) == "expired"


@pytest.mark.parametrize(
    ("given", "expected"),
    [("https://App.example.com/", "https://app.example.com"), (" http://a:8080 ", "http://a:8080")],
)
def test_origin_as_browsers_send_it(given: str, expected: str) -> None:
    """Case and a trailing slash do not matter."""
    assert keys.origin(given) == expected


@pytest.mark.parametrize("given", ["*", "app.example.com", "ftp://a", "https://a/path", "https://"])
def test_not_an_origin(given: str) -> None:
    """What no browser would send as an origin is refused."""
    with pytest.raises(InvalidScope):
        keys.origin(given)
