"""Traffic of all accounts, on both databases."""

import msgspec
from tests.unit.store.test_calls import ANSWERED, DAY

from oxlo import plans
from oxlo.store import accounts, calls, traffic
from oxlo.store.calls import Call
from oxlo.store.database import Database
from oxlo.store.traffic import Busy, Traffic

BEGIN, END = DAY * 86400, (DAY + 1) * 86400


async def test_all_accounts_are_added_up(database: Database) -> None:
    """Within the span: calls, those that counted, those that failed, and who made most of them."""
    async with database.write() as db:
        ann = await accounts.create(db, "ann", plans.load()["free"], now=BEGIN)
        bob = await accounts.create(db, "bob", plans.load()["free"], now=BEGIN)

        def call(number: int, account: str, hour: int = 1, **changes: object) -> Call:
            at = BEGIN + hour * 3600
            made: Call = msgspec.structs.replace(
                ANSWERED,
                id=f"req_{number}",
                account_id=account,
                admitted_at=float(at),
                minute=at // 60,
                **changes,
            )
            return made

        failed = {"status": 503, "outcome": "timed_out", "counted": False}
        made = [call(1, ann.id), call(2, bob.id), call(3, bob.id, 5, **failed)]
        made += [call(4, "acct_gone"), call(5, ann.id, 24), call(6, ann.id, outcome="running")]
        await calls.save(db, made)
    async with database.read() as db:
        whole = await traffic.whole(db, BEGIN, END)
        assert whole == Traffic(requests=4, counted=3, failed=1, accounts=3)
        hours = await traffic.by_hour(db, BEGIN, END)
        assert hours == {BEGIN + 3600: 3, BEGIN + 5 * 3600: 1}
        busiest = await traffic.busiest(db, BEGIN, END, limit=5)
        assert busiest == [Busy(bob.id, "bob", 2, 1), Busy(ann.id, "ann", 1, 1)]
        nothing = await traffic.whole(db, BEGIN - 86400, BEGIN)
        assert nothing == Traffic(requests=0, counted=0, failed=0, accounts=0)
