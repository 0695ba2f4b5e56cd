"""Moves the gateways' journals to SQL, each record exactly once.

Rows and the journal position are written in one transaction, so that after a crash the drain
resumes exactly behind the last row.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import structlog

from oxlo.control import call_records, segments
from oxlo.control.figures import Figures
from oxlo.control.segments import CallRecord, Parsed, Segment
from oxlo.store import calls, keys, positions
from oxlo.store.database import Database

_DAY = 86400

log = structlog.get_logger()


class Drain:
    """Moves records from a journal folder to a database; only one run at a time."""

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
        """`drained` is called with the records that were just written to SQL.

        `site` identifies this host in a database that several hosts share, because their gateways,
        and so their segments, have the same names.
        """
        self._site = f"{site}/" if site else ""
        self._folder = folder
        self._database = database
        self._metrics = metrics
        self._clock = clock
        self._drained = drained
        self._one_at_a_time = asyncio.Lock()
        # A cache of the positions in SQL, so that an idle run costs no query; None: read again.
        self._positions: dict[str, int] | None = None

    async def run(self) -> int:
        """Drain everything; returns the number of records. Raises DatabaseUnavailable."""
        async with self._one_at_a_time:
            listed = await asyncio.to_thread(segments.listed, self._folder)
            known = await self._known(listed)
            self._metrics.lag.set(sum(lag(segment, known) for segment in listed))
            drained, newest = 0, segments.newest(listed)
            for segment in listed:
                drained += await self._segment(segment, known, ended=segment.name not in newest)
            self._metrics.lag.set(sum(lag(segment, known) for segment in listed))
            await self._clear(listed, known)
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
            # Shorter than the position: the journal was deleted and started again.
            if segment.size < self._positions.get(segment.name, 0):
                await self._forget({segment.name}, self._positions)
        return self._positions

    async def _segment(self, segment: Segment, known: dict[str, int], *, ended: bool) -> int:
        # A segment that is not the newest had ended when it was listed, so it is read to its end.
        drained = 0
        while (position := known.get(segment.name, 0)) < segment.size:
            chunk = await asyncio.to_thread(segments.read, segment.path, position)
            parsed = segments.parse(chunk, ended=ended)
            if not parsed.used or not await self._write(segment, position, parsed):
                break
            known[segment.name] = position + parsed.used
            self._account(segment, position, parsed)
            drained += len(parsed.records)
        return drained

    async def _write(self, segment: Segment, position: int, parsed: Parsed) -> bool:
        """Write rows and position in one transaction; False if another process was first."""
        async with self._database.write() as db:
            new = position + parsed.used
            if not await positions.move(db, self._site + segment.name, old=position, new=new):
                self._positions = None
                return False
            await calls.save(db, call_records.calls(parsed.records))
            await keys.touch(db, call_records.last_used(parsed.records))
        return True

    def _account(self, segment: Segment, position: int, parsed: Parsed) -> None:
        self._metrics.drained.inc(len(parsed.records))
        self._drained(parsed.records)
        self._metrics.garbage.inc(len(parsed.garbage))
        for start in parsed.garbage:
            log.error("journal.garbage_skipped", segment=segment.name, position=position + start)

    async def _clear(self, listed: Sequence[Segment], known: dict[str, int]) -> None:
        """Delete finished segments, and the positions of segments that no longer exist."""
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
    """Bytes of the segment that are not in SQL yet."""
    return max(0, segment.size - known.get(segment.name, 0))


def finished(listed: Sequence[Segment], known: Mapping[str, int], *, today: int) -> list[Segment]:
    """Segments to delete: drained, not their gateway's newest, last written before today.

    Today's segments are kept because they hold the day's counts, if a newer one is lost.
    """
    newest = segments.newest(listed)
    return [
        segment
        for segment in listed
        if segment.name not in newest
        and not lag(segment, known)
        and segment.written // _DAY < today
    ]
