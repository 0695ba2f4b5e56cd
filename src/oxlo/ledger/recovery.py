"""Recovery of a gateway's state from its journal after a crash.

An `Admitted` record charges its windows; the `Settled` record of the same call replaces that charge
by what counts. A call still open at the end was lost: it is refunded and settled as such.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from oxlo.ledger.base import AccountCounts
from oxlo.ledger.records import Admitted, Record, Settled, Snapshot
from oxlo.ledger.segment import segments
from oxlo.ledger.windows import Counts, day_of, minute_of, renamed

#: Settlements within this many seconds before the gateway's end may not have reached Valkey.
RECENT = 120.0

_decoder = msgspec.json.Decoder(Record)


@dataclass(frozen=True, slots=True)
class Recovered:
    """The state recovered from the last run."""

    #: Counts without the lost calls, for `MemoryLedger.restore`.
    counts: tuple[AccountCounts, ...] = ()
    #: One outcome for each lost call, to append to the journal.
    lost: tuple[Settled, ...] = ()
    #: Calls that ended just before the crash; a remote ledger may not know of them.
    recent: tuple[Settled, ...] = ()


class Replay:
    """Counts and open calls, replayed record by record."""

    def __init__(self, since: float = math.inf) -> None:
        """Calls that ended after `since` (unix seconds) are collected in `recent`."""
        self._since = since
        self.recent: list[Settled] = []
        self.counts: dict[str, Counts] = {}
        self.open: dict[str, Admitted] = {}

    def apply(self, record: Record) -> None:
        """Apply the next record; refusals change nothing."""
        match record:
            case Snapshot():
                self._restore(record)
            case Admitted() if record.id not in self.open:
                self._follow(record)
                self._charge(record)
            case Settled() if record.id in self.open:
                self._settle(record, self.open.pop(record.id))

    def lose(self, now: float) -> list[Settled]:
        """Refund every open call and return its outcome."""
        lost = [_lost(call, now) for call in self.open.values()]
        for record in lost:
            self.apply(record)
        return lost

    def totals(self) -> tuple[AccountCounts, ...]:
        """The counts in the format of a Snapshot."""
        return tuple(
            (name, c.day, c.day_used, c.minute, c.minute_used, c.refunds)
            for name, c in self.counts.items()
        )

    def _restore(self, snapshot: Snapshot) -> None:
        self.open = {}
        self.counts = {
            name: Counts(day, minute, day_used, minute_used, refunds)
            for name, day, day_used, minute, minute_used, refunds in snapshot.counts
        }
        for call in snapshot.open:
            counts = self._of(call)  # a call is only ever charged to a window that was reached
            self._charge(_named(call, min(call.day, counts.day), min(call.minute, counts.minute)))

    def _charge(self, call: Admitted) -> None:
        self.open[call.id] = call
        self._of(call).charge(call.day, call.minute)

    def _follow(self, record: Admitted) -> None:
        """Open the windows at a record's time, as the ledger did."""
        counts = self._of(record)
        day, minute = counts.day, counts.minute
        if not counts.follow(day_of(record.at), minute_of(record.at)):
            return
        for call in self.open.values():
            if call.account == record.account:
                self.open[call.id] = _named(
                    call,
                    renamed(call.day, day, counts.day),
                    renamed(call.minute, minute, counts.minute),
                )

    def _settle(self, record: Settled, opened: Admitted) -> None:
        if record.at >= self._since:
            self.recent.append(record)
        counts = self._of(record)
        counts.give_back(
            opened.day,
            opened.minute,
            counted=record.counted,
            minute_counted=record.minute_counted,
        )
        if record.outcome == "abandoned" and not record.counted:
            counts.advance(day_of(record.at), minute_of(record.at))
            counts.refunds += 1

    def _of(self, record: Admitted | Settled) -> Counts:
        return self.counts.setdefault(record.account, Counts(record.day, record.minute))


def _named(call: Admitted, day: int, minute: int) -> Admitted:
    return msgspec.structs.replace(call, day=day, minute=minute)


def recover(directory: Path, name: str, now: float) -> Recovered:
    """Recover the counts and the lost calls of gateway `name`; empty if it never ran."""
    for path in segments(directory, name):
        replay = _replay(path, now - RECENT)
        if replay is not None:
            recent = tuple(replay.recent)
            lost = replay.lose(now)
            return Recovered(replay.totals(), tuple(lost), recent)
    return Recovered()


def _replay(path: Path, since: float) -> Replay | None:
    """Replay a segment; None if it lacks its snapshot (after a power failure)."""
    with path.open("rb") as file:
        records = decode(file)
        first = next(records, None)
        if not isinstance(first, Snapshot):
            return None
        replay = Replay(since)
        replay.apply(first)
        for record in records:
            replay.apply(record)
    return replay


def decode(lines: Iterable[bytes]) -> Iterator[Record]:
    """The records in a journal's lines, skipping truncated ones."""
    for line in lines:
        try:
            yield _decoder.decode(line)
        except msgspec.DecodeError:
            continue


def _lost(call: Admitted, now: float) -> Settled:
    return Settled(
        call.id,
        now,
        call.account,
        call.key,
        call.plan,
        call.model,
        call.endpoint,
        call.stream,
        call.day,
        call.minute,
        status=0,
        outcome="lost",
        counted=False,
        minute_counted=False,
        error="gateway_lost",
        replica="",
        tokens_in=0,
        tokens_out=0,
        tokens_cached=0,
        finish="",
        queue_ms=0.0,
        first_ms=0.0,
        total_ms=max(0.0, now - call.at) * 1000,
        day_left=-1,
        minute_left=-1,
    )
