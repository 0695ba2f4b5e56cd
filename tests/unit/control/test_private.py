"""The private application over a real unix socket."""

import httpx2
import msgspec
import pytest
import structlog.testing

from oxlo import plans
from oxlo.control.context import Control
from oxlo.ledger.counted import Counted
from oxlo.plans import apikey
from oxlo.plans.caller import Caller, Changes
from oxlo.store import accounts, keys
from oxlo.testing import journal

NOW = 1_800_000_000.0


@pytest.fixture
async def ann(control: Control) -> tuple[keys.Key, str]:
    """A key of an account."""
    async with control.database.write() as db:
        made = await accounts.create(db, "ann", plans.load()["pro"], now=NOW)
        return await keys.issue(db, made.id, name="k", signing=b"s", now=NOW, expires_at=NOW + 1)


async def test_key_is_a_caller(
    private_client: httpx2.AsyncClient, ann: tuple[keys.Key, str]
) -> None:
    """The hash of a key is answered with its caller."""
    key, secret = ann
    reply = await private_client.get(f"/keys/{apikey.digest(secret)}")
    caller = msgspec.json.decode(reply.content, type=Caller)
    assert (caller.account_name, caller.plan, caller.key) == ("ann", "pro", key.id)


async def test_revoked_key_is_gone(
    control: Control, private_client: httpx2.AsyncClient, ann: tuple[keys.Key, str]
) -> None:
    """A revocation is a change of its account, and the key is not found."""
    before = (await private_client.get("/changes")).json()["counter"]
    async with control.database.write() as db:
        await keys.revoke(db, ann[0].id, now=NOW)
    reply = await private_client.get(f"/changes?since={before}")
    changes = msgspec.json.decode(reply.content, type=Changes)
    assert (changes.counter, changes.accounts) == (before + 1, {ann[0].account_id})
    assert (await private_client.get(f"/keys/{ann[0].sha256}")).status_code == 404


async def test_changes_since_what(private_client: httpx2.AsyncClient) -> None:
    """A number that is none is a 400."""
    reply = await private_client.get("/changes?since=yesterday")
    assert (reply.status_code, reply.json()["error"]["message"]) == (
        400,
        "/changes takes ?since=N.",
    )


async def test_unknown_key(private_client: httpx2.AsyncClient) -> None:
    """An unknown hash is 404, also if it is malformed."""
    for digest in ("0" * 64, "%27%20or%201=1", "x"):
        assert (await private_client.get(f"/keys/{digest}")).status_code == 404


async def test_broken_database_is_not_a_no(
    control: Control, private_client: httpx2.AsyncClient, ann: tuple[keys.Key, str]
) -> None:
    """Without the database the status is 503, so that gateways keep cached keys."""
    async with control.database.write() as db:
        await db.exec_driver_sql("alter table keys rename to gone")
    reply = await private_client.get(f"/keys/{ann[0].sha256}")
    assert reply.status_code == 503
    assert reply.headers["retry-after"] == "2"


async def test_outage_is_logged_once(control: Control, private_client: httpx2.AsyncClient) -> None:
    """However often gateways ask, the log has the beginning and the end of an outage."""
    with structlog.testing.capture_logs() as logs:
        for old, new in (("meta", "gone"), ("gone", "meta")):
            async with control.database.write() as db:
                await db.exec_driver_sql(f"alter table {old} rename to {new}")
            for _ in range(3):
                await private_client.get("/changes")
    events = [line["event"] for line in logs if line["event"].startswith("database.")]
    assert events == ["database.unavailable", "database.recovered"]


async def test_used_is_counted_from_records(
    control: Control, private_client: httpx2.AsyncClient
) -> None:
    """The counts include records that were only in the journals."""
    day, minute = journal.DAY, journal.DAY * 1440
    records = [journal.settled(f"req_{n}") for n in range(3)]
    file = control.settings.journal_dir / "g1-000001.jsonl"
    journal.append(file, journal.lines(*records))
    reply = await private_client.get(f"/counted/acct_1?day={day}&minute={minute}")
    counted = msgspec.json.decode(reply.content, type=Counted)
    assert (counted.day_used, counted.refunds, counted.as_of) == (3, 0, NOW)
    assert (await private_client.get("/counted/acct_1")).status_code == 400
