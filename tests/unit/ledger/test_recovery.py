from collections.abc import Callable
from pathlib import Path

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from oxlo.errors import RateLimitExceeded
from oxlo.ledger.base import Reservation
from oxlo.ledger.memory import MemoryLedger
from oxlo.ledger.records import Admitted, Record, Snapshot
from oxlo.ledger.recovery import Recovered, Replay, recover
from oxlo.plans import Plan
from oxlo.testing.clock import FakeClock
from oxlo.testing.journal import admitted, ended

NOW = 1_795_392_000.0
DAY, MINUTE = int(NOW // 86_400), int(NOW // 60)


def write(folder: Path, number: int, *records: Record | bytes) -> None:
    """Write a segment of gateway `g1`; bytes are written unchanged."""
    lines = b"".join(r if isinstance(r, bytes) else encode(r) + b"\n" for r in records)
    (folder / f"g1-{number:06}.jsonl").write_bytes(lines)


def encode(record: Record) -> bytes:
    """One line."""
    return msgspec.json.encode(record)


EMPTY = Snapshot(NOW, (), ())


def test_first_run_has_nothing(tmp_path: Path) -> None:
    """Without a journal nothing is recovered."""
    assert recover(tmp_path, "g1", NOW) == Recovered()


def test_answered_calls_are_counted(tmp_path: Path) -> None:
    """Successful calls still count after a restart."""
    call = admitted("x", NOW)
    end = ended(call, NOW + 1)
    write(tmp_path, 1, EMPTY, call, end)
    counts = (("acct_1", DAY, 1, MINUTE, 1, 0),)
    assert recover(tmp_path, "g1", NOW + 2) == Recovered(counts, (), (end,))
    assert recover(tmp_path, "g1", NOW + 200) == Recovered(counts, (), ())


def test_failed_calls_are_not(tmp_path: Path) -> None:
    """Failed calls still do not count after a restart."""
    call = admitted("x", NOW)
    end = ended(call, NOW + 1, outcome="failed", counted=False, minute_counted=False)
    write(tmp_path, 1, EMPTY, call, end)
    assert recover(tmp_path, "g1", NOW).counts == (("acct_1", DAY, 0, MINUTE, 0, 0),)


def test_lost_call_is_refunded(tmp_path: Path) -> None:
    """An admitted call without an outcome gets one, and costs nothing."""
    write(tmp_path, 1, EMPTY, admitted("x", NOW))
    recovered = recover(tmp_path, "g1", NOW + 2)
    (lost,) = recovered.lost
    assert recovered.counts == (("acct_1", DAY, 0, MINUTE, 0, 0),)
    assert (lost.id, lost.outcome, lost.error, lost.counted) == ("x", "lost", "gateway_lost", False)
    assert (lost.status, lost.total_ms, lost.minute_counted) == (0, 2_000.0, False)


def test_newest_segment_is_enough(tmp_path: Path) -> None:
    """A snapshot includes everything before it, so older segments are not read."""
    write(tmp_path, 9, b"not read\n")
    write(tmp_path, 10, Snapshot(NOW, (("acct_1", DAY, 5, MINUTE, 2, 1),), ()), admitted("x", NOW))
    recovered = recover(tmp_path, "g1", NOW)
    assert recovered.counts == (("acct_1", DAY, 5, MINUTE, 2, 1),)
    assert len(recovered.lost) == 1


def test_open_calls_cross_segments(tmp_path: Path) -> None:
    """A call admitted in one segment may end in the next, or be lost there."""
    x, y = admitted("x", NOW), admitted("y", NOW)
    write(tmp_path, 2, Snapshot(NOW, (("acct_1", DAY, 5, MINUTE, 2, 0),), (x, y)), ended(x, NOW))
    recovered = recover(tmp_path, "g1", NOW)
    assert recovered.counts == (("acct_1", DAY, 6, MINUTE, 3, 0),)
    assert [record.id for record in recovered.lost] == ["y"]


def test_record_already_in_the_snapshot(tmp_path: Path) -> None:
    """Records at the start of a segment that its snapshot includes are applied once."""
    x, y = admitted("x", NOW), admitted("y", NOW)
    snapshot = Snapshot(NOW, (("acct_1", DAY, 1, MINUTE, 1, 0),), (x,))
    write(tmp_path, 1, snapshot, x, ended(x, NOW), ended(y, NOW))
    assert recover(tmp_path, "g1", NOW).counts == (("acct_1", DAY, 2, MINUTE, 2, 0),)


def test_torn_line_is_ignored(tmp_path: Path) -> None:
    """A truncated last line is ignored."""
    call = admitted("x", NOW)
    write(tmp_path, 1, EMPTY, call, encode(ended(call, NOW))[:30])
    assert [record.id for record in recover(tmp_path, "g1", NOW).lost] == ["x"]


def test_torn_snapshot_falls_back(tmp_path: Path) -> None:
    """A segment without its snapshot is skipped, and the previous one is read."""
    call = admitted("x", NOW)
    write(tmp_path, 1, EMPTY, call, ended(call, NOW))
    write(tmp_path, 2, encode(EMPTY)[:9])
    write(tmp_path, 3)
    assert recover(tmp_path, "g1", NOW).counts == (("acct_1", DAY, 1, MINUTE, 1, 0),)


def test_other_gateways_are_others(tmp_path: Path) -> None:
    """A gateway recovers only its own journal, however similar the names."""
    (tmp_path / "g1-b-000001.jsonl").write_bytes(encode(EMPTY) + b"\n" + encode(admitted("x", NOW)))
    assert recover(tmp_path, "g1", NOW) == Recovered()


def test_a_clock_set_back_is_replayed(tmp_path: Path) -> None:
    """A call charged to a month wrongly ahead counts, or is refunded, in the window after it."""
    month = 30 * 86_400
    early = [admitted(call, NOW + month) for call in ("kept", "failed", "lost")]
    later = admitted("later", NOW)
    later = msgspec.structs.replace(later, day=DAY + 1, minute=MINUTE + 1)
    write(
        tmp_path, 1, EMPTY, *early, ended(early[0], NOW + month), later, ended(later, NOW + 1),
        ended(early[1], NOW + 2, outcome="failed", counted=False, minute_counted=False),
    )  # fmt: skip
    assert recover(tmp_path, "g1", NOW + 3).counts == (("acct_1", DAY + 1, 2, MINUTE + 1, 2, 0),)


def test_refunds_are_remembered(tmp_path: Path) -> None:
    """The limit of refunds holds across a restart."""
    call = admitted("x", NOW)
    write(tmp_path, 1, EMPTY, call, ended(call, NOW, outcome="abandoned", counted=False))
    assert recover(tmp_path, "g1", NOW).counts == (("acct_1", DAY, 0, MINUTE, 1, 1),)


def test_refund_is_the_day_of_the_disconnect(tmp_path: Path) -> None:
    """A call abandoned after midnight uses up a refund of the new day."""
    call, later = admitted("x", NOW), NOW + 86_400
    write(tmp_path, 1, EMPTY, call, ended(call, later, outcome="abandoned", counted=False))
    assert recover(tmp_path, "g1", later).counts == (("acct_1", DAY + 1, 0, MINUTE + 1_440, 0, 1),)


class Gateway:
    """A ledger and its gateway's records."""

    def __init__(self) -> None:
        self.ledger = MemoryLedger(lease_seconds=1e9)
        self.clock = FakeClock(NOW)
        self.records: list[Record] = []
        self.open: list[tuple[Reservation, Admitted | None]] = []

    def admit(self, plan: Plan, account: str, *, write: bool) -> None:
        """Reserve; a call that still waits for a slot is not in the journal."""
        try:
            held = self.ledger.reserve("call", account, plan, self.clock(), print)
        except RateLimitExceeded:
            return
        if not isinstance(held, Reservation):
            held.cancel()
            return
        record = admitted(f"call-{len(self.records)}-{len(self.open)}", self.clock(), account)
        record = msgspec.structs.replace(record, day=held.day, minute=held.minute)
        if write:
            self.records.append(record)
        self.open.append((held, record if write else None))

    def end(self, outcome: str, *, counted: bool, minute_counted: bool) -> None:
        """Settle the oldest call."""
        if not self.open:
            return
        held, record = self.open.pop(0)
        now = self.clock()
        if record is None:
            outcome, counted, minute_counted = "cancelled", False, False
        elif outcome == "abandoned":
            counted = not self.ledger.may_refund_abandoned(held, now)
        self.ledger.settle(held, counted=counted, minute_counted=minute_counted, now=now)
        record = record or admitted(f"queued-{len(self.records)}", now, held.account)
        record = msgspec.structs.replace(record, day=held.day, minute=held.minute)
        end = ended(record, now, outcome=outcome, counted=counted, minute_counted=minute_counted)
        self.records.append(end)

    def snapshot(self) -> None:
        """Start a segment with a snapshot."""
        opened = tuple(record for _, record in self.open if record is not None)
        now = self.clock()
        self.records.append(Snapshot(now, self.ledger.snapshot(now), opened))


steps = st.one_of(
    st.tuples(st.just("admit"), st.sampled_from("ab"), st.booleans()),
    st.tuples(st.just("end"), st.sampled_from(["answered", "failed", "abandoned"]), st.booleans()),
    st.tuples(st.just("time"), st.sampled_from([5.0, 61.0, 86_400.0]), st.booleans()),
    st.tuples(st.just("snapshot"), st.none(), st.booleans()),
)


@given(st.lists(steps, max_size=60))
def test_replay_equals_the_live_ledger(history: list[tuple[str, object, bool]]) -> None:
    """After any history, a replay has the live ledger's counts, except for calls in progress."""
    gateway = Gateway()
    plan = Plan(id="p", name="P", tiers=frozenset(), queue="high", abandoned_refunds=2)
    do: dict[str, Callable[..., None]] = {
        "admit": lambda account, flag: gateway.admit(plan, account, write=flag),
        "end": lambda outcome, flag: gateway.end(
            outcome, counted=outcome == "answered", minute_counted=flag or outcome == "answered"
        ),
        "time": lambda seconds, flag: gateway.clock.advance(seconds),
        "snapshot": lambda nothing, flag: gateway.snapshot(),
    }
    for name, value, flag in history:
        do[name](value, flag)
    replay = Replay()
    for record in gateway.records:
        replay.apply(record)
    assert sorted(replay.open) == sorted(r.id for _, r in gateway.open if r is not None)
    replay.lose(gateway.clock())
    restored = MemoryLedger()
    restored.restore(replay.totals())
    assert counts(restored, gateway.clock()) == counts(gateway.ledger, gateway.clock())


def counts(ledger: MemoryLedger, now: float) -> dict[str, tuple[int, ...]]:
    """The non-zero counts of a ledger's accounts, with the windows of `now` open."""
    for name in "ab":
        ledger.limits(name, Plan(id="p", name="P", tiers=frozenset(), queue="high"), now)
    return {name: tuple(rest) for name, *rest in ledger.snapshot(now)}
