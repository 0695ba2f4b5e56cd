"""Journal segments: their names, and the records in their bytes. Nothing here knows SQL."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from oxlo.ledger.records import Admitted, Record, Refused, Settled, Snapshot

#: Bytes read at a time: about 5,000 records.
CHUNK = 1 << 20
#: A record of one call; snapshots are for gateways only.
CallRecord = Admitted | Settled | Refused

_decoder = msgspec.json.Decoder(Record)


@dataclass(frozen=True, slots=True)
class Segment:
    """One file of a gateway's journal, as it was when the folder was listed."""

    path: Path
    gateway: str
    number: int
    size: int
    #: When it was last written, unix seconds.
    written: float

    @property
    def name(self) -> str:
        """The file's name, which no other segment has."""
        return self.path.name


@dataclass(slots=True)
class Parsed:
    """The complete lines at the start of some bytes."""

    records: list[CallRecord] = field(default_factory=list)
    #: Bytes that were understood, or given up: the next read starts after them.
    used: int = 0
    #: Where lines that are not records start.
    garbage: list[int] = field(default_factory=list)


def listed(folder: Path) -> list[Segment]:
    """The segments in the folder, by gateway and number."""
    found = (_segment(path) for path in folder.glob("*-*.jsonl"))
    return sorted((s for s in found if s), key=lambda s: (s.gateway, s.number))


def newest(segments: Iterable[Segment]) -> frozenset[str]:
    """The names of each gateway's newest segment, which it still writes."""
    ordered = sorted(segments, key=lambda s: s.number)
    return frozenset({s.gateway: s.name for s in ordered}.values())


def read(path: Path, position: int) -> bytes:
    """About `CHUNK` bytes from `position`, to the end of a line where there is one."""
    with path.open("rb") as file:
        file.seek(position)
        return file.read(CHUNK) + file.readline()


def parse(chunk: bytes) -> Parsed:
    """The records in `chunk`; a last line without its end is left for later."""
    parsed = Parsed()
    for start, line in _lines(chunk):
        try:
            record = _decoder.decode(line)
        except msgspec.DecodeError:
            parsed.garbage.append(start)
        else:
            if not isinstance(record, Snapshot):
                parsed.records.append(record)
        parsed.used = start + len(line) + 1
    return parsed


def search(folder: Path, text: bytes) -> list[CallRecord]:
    """The records whose lines hold `text`, over all segments: for when SQL cannot be asked."""
    lines = bytearray()
    for segment in listed(folder):
        with segment.path.open("rb") as file:
            lines += b"".join(line for line in file if text in line)
    return parse(bytes(lines)).records


def _lines(chunk: bytes) -> Iterator[tuple[int, bytes]]:
    start = 0
    while (end := chunk.find(b"\n", start)) >= 0:
        yield start, chunk[start:end]
        start = end + 1


def _segment(path: Path) -> Segment | None:
    gateway, _, number = path.stem.rpartition("-")
    if not number.isdigit():
        return None
    stat = path.stat()
    return Segment(path, gateway, int(number), stat.st_size, stat.st_mtime)
