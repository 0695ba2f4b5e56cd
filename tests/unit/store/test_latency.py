"""Latency of an account's calls, on both databases."""

import msgspec
from tests.unit.store.test_calls import ANSWERED, DAY

from oxlo.store import calls, latency
from oxlo.store.calls import Call
from oxlo.store.database import Database
from oxlo.store.latency import Moment
from oxlo.store.percentiles import Spread

BEGIN, END = DAY * 86400, (DAY + 2) * 86400


def call(number: int, total_ms: float, **changes: object) -> Call:
    made: Call = msgspec.structs.replace(
        ANSWERED, id=f"req_{number}", total_ms=total_ms, first_ms=total_ms / 10, **changes
    )
    return made


async def moments(database: Database, step: latency.Step, *made: Call) -> list[Moment]:
    async with database.write() as db:
        await calls.save(db, made)
        return await latency.by_time(db, "acct_1", BEGIN, END, step)


async def test_percentiles_are_nearest_ranks(database: Database) -> None:
    """Of twenty calls the tenth is the median, and the nineteenth the 95th percentile."""
    made = [call(number, float(number * 100), stream=True) for number in range(1, 21)]
    (day,) = await moments(database, "day", *made)
    assert (day.at, day.requests) == (BEGIN, 20)
    assert day.total_ms == Spread(1000.0, 1900.0)
    assert day.first_ms == Spread(100.0, 190.0)


async def test_first_tokens_are_those_of_streams(database: Database) -> None:
    """A whole answer's first byte is its last, and would make first tokens look slow."""
    (day,) = await moments(database, "day", call(1, 500.0, stream=False))
    assert day.first_ms is None
    assert day.total_ms == Spread(500.0, 500.0)


async def test_hours_are_apart(database: Database) -> None:
    """Each hour with an answer is a moment; failures, others' calls and other days are none."""
    later = {"admitted_at": BEGIN + 7300.0, "minute": DAY * 1440 + 121}
    found = await moments(
        database,
        "hour",
        call(1, 100.0, admitted_at=BEGIN + 60.0, minute=DAY * 1440 + 1),
        call(2, 200.0, **later),
        call(3, 900.0, outcome="failed", counted=False),
        call(4, 900.0, account_id="acct_2"),
        call(5, 900.0, admitted_at=BEGIN - 1.0),
        call(6, 900.0, admitted_at=float(END)),
    )
    assert [(one.at, one.total_ms.p50) for one in found] == [(BEGIN, 100.0), (BEGIN + 7200, 200.0)]


async def test_one_model_alone(database: Database) -> None:
    """A quick model does not hide a slow one."""
    await moments(database, "day", call(1, 10.0), call(2, 900.0, model="slow"))
    async with database.read() as db:
        (slow,) = await latency.by_time(db, "acct_1", BEGIN, END, "day", "slow")
    assert (slow.requests, slow.total_ms) == (1, Spread(900.0, 900.0))
