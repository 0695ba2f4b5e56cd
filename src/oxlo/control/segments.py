"""Journal segments: listing, reading and parsing them, without SQL."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from oxlo.ledger.records import Admitted, Record, Refused, Settled, Snapshot

#: Bytes per read: about 5,000 records.
CHUNK = 1 << 20
#: A record of one call. Snapshots are excluded, because only gateways use them.
CallRecord = Admitted | Settled | Refused

_decoder = msgspec.json.Decoder(Record)


@dataclass(frozen=True, slots=True)
class Segment:
    """One file of a gateway's journal, as of the listing of the folder."""

    path: Path
    gateway: str
    number: int
    size: int
    #: Modification time, unix seconds.
    written: float

    @property
    def name(self) -> str:
        """The file's name, unique in the folder."""
        return self.path.name


@dataclass(slots=True)
class Parsed:
    """The complete lines at the start of a chunk."""

    records: list[CallRecord] = field(default_factory=list)
    #: Bytes parsed or skipped: the next read starts after them.
    used: int = 0
    #: Offsets of lines that are not records.
    garbage: list[int] = field(default_factory=list)


def listed(folder: Path) -> list[Segment]:
    """The segments in the folder, sorted by gateway and number."""
    found = (_segment(path) for path in folder.glob("*-*.jsonl"))
    return sorted((s for s in found if s), key=lambda s: (s.gateway, s.number))


def newest(segments: Iterable[Segment]) -> frozenset[str]:
    """The name of each gateway's newest segment, which is still being written."""
    ordered = sorted(segments, key=lambda s: s.number)
    return frozenset({s.gateway: s.name for s in ordered}.values())


def read(path: Path, position: int) -> bytes:
    """About `CHUNK` bytes from `position`, up to the end of a line if there is one."""
    with path.open("rb") as file:
        file.seek(position)
        return file.read(CHUNK) + file.readline()


def parse(chunk: bytes, *, ended: bool = False) -> Parsed:
    """Parse the records in `chunk`; an incomplete last line is left for the next read.

    If the segment has `ended`, that line was torn by a crash and is garbage.
    """
    parsed = Parsed()
    for start, line in _lines(chunk, ended=ended):
        try:
            record = _decoder.decode(line)
        except msgspec.DecodeError:
            parsed.garbage.append(start)
        else:
            if not isinstance(record, Snapshot):
                parsed.records.append(record)
        parsed.used = min(start + len(line) + 1, len(chunk))
    return parsed


def search(folder: Path, text: bytes) -> list[CallRecord]:
    """The records whose lines contain `text`, over all segments, for when SQL is unavailable."""
    records: list[CallRecord] = []
    for segment in listed(folder):
        with segment.path.open("rb") as file:
            records += parse(b"".join(line for line in file if text in line)).records
    return records


def _lines(chunk: bytes, *, ended: bool) -> Iterator[tuple[int, bytes]]:
    start = 0
    while (end := chunk.find(b"\n", start)) >= 0:
        yield start, chunk[start:end]
        start = end + 1
    if ended and start < len(chunk):
        yield start, chunk[start:]


def _segment(path: Path) -> Segment | None:
    gateway, _, number = path.stem.rpartition("-")
    if not number.isdigit():
        return None
    stat = path.stat()
    return Segment(path, gateway, int(number), stat.st_size, stat.st_mtime)
