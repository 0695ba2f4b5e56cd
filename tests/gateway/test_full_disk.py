"""A disk without room under a running gateway: what callers and operators see."""

from tests.disks import full_disk
from tests.gateway.conftest import Platform, Start, chat, stop_the_clock
from tests.waiting import until

from oxlo.gateway.admin import snapshot
from oxlo.ledger.records import Settled


def on_disk(platform: Platform) -> int:
    """The metric of journal records."""
    gauges = {name: value for name, _, value in snapshot(platform.gateway)["gauges"]}
    return int(gauges["oxlo_journal_writable"])


async def test_a_full_disk_costs_no_answer_and_no_count(start: Start) -> None:
    """Calls are answered and counted, the metric tells, and records follow when there is room."""
    platform = await start()
    key = platform.control.mint("premium", "acct_p")
    stop_the_clock(platform)
    assert on_disk(platform) == 1
    with full_disk():
        answers = [await platform.chat(key=key) for _ in range(3)]
        assert on_disk(platform) == 0
    assert [answer.status for answer in answers] == [200] * 3
    assert answers[2].headers["x-ratelimit-remaining-requests"] == "97"
    assert platform.records() == []
    platform.gateway.journal.retry()
    assert on_disk(platform) == 1
    assert all(platform.record(Settled, a.headers["x-request-id"]).counted for a in answers)


async def test_a_full_disk_has_no_room_for_large_bodies(start: Start) -> None:
    """A body that would have to be spooled is refused, and not counted; small ones go on."""
    platform = await start()
    key = platform.control.mint("premium", "acct_p")
    stop_the_clock(platform)
    large = chat(messages=[{"role": "user", "content": "x " * (1 << 20)}])
    with full_disk():
        refused = await platform.call("POST", "/v1/chat/completions", large, key=key)
        assert (refused.status, refused.code) == (503, "overloaded")
        small = await platform.chat(key=key)
    assert small.headers["x-ratelimit-remaining-requests"] == "99"
    await until(lambda: not list(platform.spool.iterdir()))
