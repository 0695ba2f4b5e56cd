"""Measurement in interleaved rounds, so that noise affects all peers alike."""

import http.client
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import msgspec

from bench.overhead import load
from bench.overhead.engine import Engine, model
from bench.overhead.load import Load, Sent
from bench.overhead.peers import PEERS, Peer
from bench.overhead.rows import Row
from bench.processes import Failed


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement of a peer under a load."""

    row: str
    peer: str
    round: int
    #: User and system CPU microseconds per request, or per chunk of a stream.
    cpu_us: float
    #: The same for its auxiliary processes.
    others_us: dict[str, float]
    rss_mb: float
    sent: Sent


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """Medians of a peer's samples of a row, and the sum of errors."""

    row: str
    peer: str
    cpu_us: float
    others_us: dict[str, float]
    per_second: float
    p50_ms: float
    p99_ms: float
    rss_mb: float
    errors: int


def begin(
    names: Iterable[str], engine: Engine, folder: Path, stack: ExitStack
) -> tuple[list[Peer], dict[str, str]]:
    """Start the available peers; return them and the reasons for missing ones."""
    peers, missing = [], {}
    for name in names:
        place = folder / name
        place.mkdir()
        try:
            peer = stack.enter_context(PEERS[name](engine, place))
            _answers(peer)
        except Failed as error:
            missing[name] = str(error)
        else:
            peers.append(peer)
    return peers, missing


def _answers(peer: Peer) -> None:
    """Wait until a chat succeeds, because routers listen before they are ready. Raises Failed."""
    one = Load(
        model=model("openai"), kind="whole", size=256, connections=1, port=peer.port, key=peer.key
    )
    for _ in range(60):
        status, response = _post(one)
        if status == 200:
            return
        peer.process.check()
        time.sleep(0.5)
    raise Failed(f"answers {status}: {response[:200]!r}")


def _post(one: Load) -> tuple[int, bytes]:
    head = {"authorization": f"Bearer {one.key}", "content-type": "application/json"}
    connection = http.client.HTTPConnection("127.0.0.1", one.port, timeout=10)
    try:
        connection.request("POST", "/v1/chat/completions", load.body(one), head)
        reply = connection.getresponse()
        return reply.status, reply.read()
    except OSError as error:
        return 0, str(error).encode()
    finally:
        connection.close()


def samples(
    peers: list[Peer], rows: list[Row], engine: Engine, rounds: int, seconds: int, folder: Path
) -> Iterator[Sample]:
    """Collect all samples, each row of each peer once per round."""
    for number in range(rounds):
        for row in rows:
            engine.become(row.shape, row.pace_ms)
            for peer in peers:
                if not row.among or peer.name in row.among:
                    yield _sample(peer, row, engine, number, seconds, folder)


def _sample(
    peer: Peer, row: Row, engine: Engine, number: int, seconds: int, folder: Path
) -> Sample:
    """Warm up, then measure the CPU time of the load per chat that the engine received."""
    wanted = Load(
        model=model(row.shape),
        kind=row.kind,
        size=row.size,
        connections=row.connections,
        port=peer.port,
        key=peer.capped_key if row.capped else peer.key,
    )
    load.send(wanted, peer.patience, folder)
    peer.process.wait_for_quiet()
    processes = {"": peer.process, **peer.others}
    before = {name: process.cpu_seconds() for name, process in processes.items()}
    chats = engine.chats()
    sent = load.send(wanted, seconds * peer.patience, folder)
    peer.process.wait_for_quiet()
    units = max(1, engine.chats() - chats) * row.units
    spent = {
        name: (process.cpu_seconds() - before[name]) / units * 1e6
        for name, process in processes.items()
    }
    return Sample(
        row=row.name,
        peer=peer.name,
        round=number,
        cpu_us=spent.pop(""),
        others_us=spent,
        rss_mb=peer.process.rss_mb(),
        sent=sent,
    )


def cells(taken: list[Sample]) -> list[Cell]:
    """Aggregate samples to medians, in their order."""
    groups: dict[tuple[str, str], list[Sample]] = {}
    for sample in taken:
        groups.setdefault((sample.row, sample.peer), []).append(sample)
    return [_cell(group) for group in groups.values()]


def _cell(group: list[Sample]) -> Cell:
    first = group[0]
    return Cell(
        row=first.row,
        peer=first.peer,
        cpu_us=median(s.cpu_us for s in group),
        others_us={name: median(s.others_us[name] for s in group) for name in first.others_us},
        per_second=median(s.sent.requests / s.sent.seconds for s in group),
        p50_ms=median(s.sent.p50_ms for s in group),
        p99_ms=median(s.sent.p99_ms for s in group),
        rss_mb=median(s.rss_mb for s in group),
        errors=sum(s.sent.errors for s in group),
    )
