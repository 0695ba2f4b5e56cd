"""Drains the gateways' journals into SQL, each record exactly once.

Rows and the position behind them are written in one transaction: after a crash the drain goes on
where SQL is, not where it believed to be.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import structlog

from oxlo.control import fold, segments
from oxlo.control.figures import Figures
from oxlo.control.segments import CallRecord, Parsed, Segment
from oxlo.store import calls, keys, positions
from oxlo.store.database import Database

_DAY = 86400

log = structlog.get_logger()


class Drain:
    """Moves records from a journal folder to a database; one at a time."""

    def __init__(
        self,
        folder: Path,
        database: Database,
        metrics: Figures,
        *,
        clock: Callable[[], float] = time.time,
        drained: Callable[[Sequence[CallRecord]], None] = lambda records: None,
        site: str = "",
    ) -> None:
        """`drained` is told of the records that were just written to SQL.

        `site` is told apart in a database that several hosts share: their gateways have the same
        names, and so their segments.
        """
        self._site = f"{site}/" if site else ""
        self._folder = folder
        self._database = database
        self._metrics = metrics
        self._clock = clock
        self._drained = drained
        self._one_at_a_time = asyncio.Lock()
        # What SQL holds, kept so that an idle drain costs no query; None: ask again.
        self._positions: dict[str, int] | None = None

    async def run(self) -> int:
        """Drain all that is there; the number of records. Raises DatabaseUnavailable."""
        async with self._one_at_a_time:
            listed = await asyncio.to_thread(segments.listed, self._folder)
            known = await self._known(listed)
            self._metrics.lag.set(sum(lag(segment, known) for segment in listed))
            drained = 0
            for segment in listed:
                drained += await self._segment(segment, known)
            await self._clear(listed, known)
            self._metrics.lag.set(sum(lag(segment, known) for segment in listed))
            return drained

    async def _known(self, listed: Sequence[Segment]) -> dict[str, int]:
        if self._positions is None:
            async with self._database.read() as db:
                every = await positions.every(db)
            ours = len(self._site)
            self._positions = {
                name[ours:]: at for name, at in every.items() if name.startswith(self._site)
            }
        for segment in listed:
            # Shorter than what was read of it: the journal was wiped and began anew.
            if segment.size < self._positions.get(segment.name, 0):
                await self._forget({segment.name}, self._positions)
        return self._positions

    async def _segment(self, segment: Segment, known: dict[str, int]) -> int:
        drained = 0
        while (position := known.get(segment.name, 0)) < segment.size:
            chunk = await asyncio.to_thread(segments.read, segment.path, position)
            parsed = segments.parse(chunk)
            if not parsed.used or not await self._write(segment, position, parsed):
                break
            known[segment.name] = position + parsed.used
            self._account(segment, position, parsed)
            drained += len(parsed.records)
        return drained

    async def _write(self, segment: Segment, position: int, parsed: Parsed) -> bool:
        """Rows and position in one transaction; False when another control was there first."""
        async with self._database.write() as db:
            new = position + parsed.used
            if not await positions.move(db, self._site + segment.name, old=position, new=new):
                self._positions = None
                return False
            await calls.save(db, fold.calls(parsed.records))
            await keys.touch(db, fold.last_used(parsed.records))
        return True

    def _account(self, segment: Segment, position: int, parsed: Parsed) -> None:
        self._metrics.drained.inc(len(parsed.records))
        self._drained(parsed.records)
        self._metrics.garbage.inc(len(parsed.garbage))
        for start in parsed.garbage:
            log.error("journal.garbage_skipped", segment=segment.name, position=position + start)

    async def _clear(self, listed: Sequence[Segment], known: dict[str, int]) -> None:
        """Delete segments that nobody needs, and forget positions of those that are gone."""
        done = finished(listed, known, today=int(self._clock() // _DAY))
        for segment in done:
            await asyncio.to_thread(segment.path.unlink, missing_ok=True)
            log.info("journal.segment_deleted", segment=segment.name)
        there = {segment.name for segment in listed} - {segment.name for segment in done}
        await self._forget(known.keys() - there, known)

    async def _forget(self, names: set[str], known: dict[str, int]) -> None:
        if names:
            async with self._database.write() as db:
                await positions.forget(db, {self._site + name for name in names})
        for name in names:
            known.pop(name, None)


def lag(segment: Segment, known: Mapping[str, int]) -> int:
    """Bytes of the segment that are not in SQL."""
    return max(0, segment.size - known.get(segment.name, 0))


def finished(listed: Sequence[Segment], known: Mapping[str, int], *, today: int) -> list[Segment]:
    """Segments that can go: drained, not their gateway's newest, last written before today.

    Those of today hold the day's counts, should a newer segment be lost.
    """
    newest = segments.newest(listed)
    return [
        segment
        for segment in listed
        if segment.name not in newest
        and not lag(segment, known)
        and segment.written // _DAY < today
    ]
