"""Usage on a real SQLite file."""

import msgspec
from tests.unit.store.test_calls import ANSWERED, DAY

from oxlo.store import calls, usage
from oxlo.store.calls import Call
from oxlo.store.database import Database

BEGIN, END = DAY * 86400, (DAY + 2) * 86400


def call(number: int, **changes: object) -> Call:
    made: Call = msgspec.structs.replace(ANSWERED, id=f"req_{number}", **changes)
    return made


async def save(database: Database, *made: Call) -> None:
    async with database.write() as db:
        await calls.save(db, made)


async def added_up(database: Database, *by: usage.By) -> list[usage.Group]:
    async with database.read() as db:
        return await usage.added_up(db, "acct_1", BEGIN, END, by)


async def test_nothing_is_a_row_of_zeros(database: Database) -> None:
    """Without a group there is always one row."""
    (total,) = await added_up(database)
    assert (total.sums.requests, total.sums.counted, total.sums.mean_total_ms) == (0, 0, None)
    assert await added_up(database, "day") == []


async def test_sums_of_one_account(database: Database) -> None:
    """Tokens add up; others' calls, running ones and earlier ones are not in it."""
    await save(
        database,
        call(1, tokens_in=10, tokens_out=2),
        call(2, tokens_in=5, counted=False, outcome="failed"),
        call(3, account_id="acct_2"),
        call(4, outcome="running"),
        call(5, admitted_at=BEGIN - 1.0),
    )
    (total,) = await added_up(database)
    assert (total.sums.requests, total.sums.counted, total.sums.not_counted) == (2, 1, 1)
    assert (total.sums.prompt_tokens, total.sums.completion_tokens) == (15, 2)


async def test_times_are_those_of_answered_calls(database: Database) -> None:
    """A call that failed at once makes nothing look fast."""
    await save(
        database,
        call(1, first_ms=20.0, total_ms=100.0),
        call(2, first_ms=40.0, total_ms=300.0),
        call(3, outcome="failed", counted=False, total_ms=1.0),
    )
    (total,) = await added_up(database)
    assert (total.sums.mean_first_ms, total.sums.mean_total_ms) == (30.0, 200.0)


async def test_groups_of_time_and_model(database: Database) -> None:
    """Days and hours are told as the second they begin."""
    noon = DAY * 1440 + 12 * 60 + 7
    await save(database, call(1), call(2, model="z"), call(3, day=DAY + 1, minute=noon + 1440))
    assert [(g.key, g.sums.requests) for g in await added_up(database, "day", "model")] == [
        ((DAY * 86400, "m"), 1),
        ((DAY * 86400, "z"), 1),
        (((DAY + 1) * 86400, "m"), 1),
    ]
    assert [g.key for g in await added_up(database, "hour")][-1] == ((DAY + 1) * 86400 + 43200,)
