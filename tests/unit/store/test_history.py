"""An account's calls, page by page."""

import msgspec
import pytest
from tests.unit.store.test_calls import ANSWERED

from oxlo.store import calls, history
from oxlo.store.database import Database
from oxlo.store.errors import CallNotFound
from oxlo.store.history import Filter

#: Two of the same moment among them.
CALLS = [
    msgspec.structs.replace(ANSWERED, id=f"req_{n}", admitted_at=float(n // 2), counted=n % 3 > 0)
    for n in range(7)
]


@pytest.fixture
async def filled(database: Database) -> Database:
    """The calls, and one of somebody else."""
    theirs = msgspec.structs.replace(ANSWERED, id="req_theirs", account_id="acct_2")
    async with database.write() as db:
        await calls.save(db, [*CALLS, theirs])
    return database


async def test_pages_hold_each_call_once(filled: Database) -> None:
    """Newest first, from page to page, whatever moments are the same."""
    seen: list[str] = []
    async with filled.read() as db:
        more = True
        while more:
            after = seen[-1] if seen else None
            page = await history.page(db, "acct_1", limit=2, after=after)
            seen += [call.id for call in page.calls]
            more = page.more
    assert seen == [f"req_{n}" for n in reversed(range(7))]


@pytest.mark.parametrize(
    ("only", "found"),
    [
        (Filter(counted=False), ["req_6", "req_3", "req_0"]),
        (Filter(model="m", outcome="answered", counted=True, key="key_1"), 4),
        (Filter(model="other"), 0),
        (Filter(outcome="failed"), 0),
        (Filter(key="key_2"), 0),
    ],
)
async def test_filters(filled: Database, only: Filter, found: list[str] | int) -> None:
    """Each narrows, and together they narrow more."""
    async with filled.read() as db:
        page = await history.page(db, "acct_1", limit=9, only=only)
    ids = [call.id for call in page.calls]
    assert (ids if isinstance(found, list) else len(ids)) == found


async def test_mark_of_others(filled: Database) -> None:
    """A call of another account is no place to go on from."""
    async with filled.read() as db:
        with pytest.raises(CallNotFound):
            await history.page(db, "acct_1", limit=2, after="req_theirs")
