"""A quarter of an hour of mixed traffic: what the gateway holds must not grow, and nothing leaks.

Whole chats, streams, repeats with an idempotency key, dry runs and bad requests on kept-alive
connections, more of them than the model has slots; half of the streams are dropped by their
clients, anywhere from before the first event to the last.

    python -m bench soak [--minutes 15] [--clients 48] [--pace 5]
"""

import argparse
import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Literal

import msgspec

from bench import machine
from bench.installation import Installation, installation
from bench.overhead.engine import engine, model
from bench.processes import Failed
from oxlo.control import unixhttp
from oxlo.fleet.registry import Replica, ReplicaState
from oxlo.settings import Settings

Kind = Literal["whole", "stream", "dropped", "repeat", "dry", "bad"]

#: How often each kind is sent: as many streams are dropped as are read to the end.
MIX: dict[Kind, int] = {"whole": 30, "stream": 30, "dropped": 30, "repeat": 4, "dry": 3, "bad": 3}
SLOTS = 16
EVERY = 2.0
#: Memory (MB, 10^6 bytes) that may be gained in ten minutes, after the warm-up.
MOST_MB = 1.0
#: Descriptors by which the last third of the time may be above the first.
MOST_FDS = 3
PATH = "/v1/chat/completions"


class Sample(msgspec.Struct, frozen=True):
    """The gateway at one moment; `at` in seconds since the load began."""

    at: float
    rss_mb: float
    fds: int


class Soaked(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    minutes: float
    sent: dict[str, int]
    #: Replies that were not what they should be, by what they were.
    wrong: dict[str, int]
    rss_mb: tuple[float, float]
    #: MB in ten minutes, by least squares over the time after the warm-up.
    rss_slope: float
    #: The largest rise between two readings after the warm-up, MB, and when, in seconds; and the
    #: slope of what is left without it.
    rss_step: tuple[float, float]
    rss_slope_beside: float
    #: Medians of the first and the last third after the warm-up; and after the load.
    fds: tuple[float, float]
    fds_after: int
    #: Gauges that should be 0 once nobody calls.
    left: dict[str, float]
    samples: list[Sample]


def main(arguments: list[str]) -> int:
    """Soak, print and keep what was seen; 1 when anything grew or leaked."""
    parser = argparse.ArgumentParser(prog="python -m bench soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--clients", type=int, default=48)
    # A stream takes about a quarter of a second; with 0 an hour of calls fits into ten minutes.
    parser.add_argument("--pace", type=float, default=5.0, help="ms between events of a stream")
    options = parser.parse_args(arguments)
    try:
        with _platform(options.pace) as (ours, home):
            return _show(asyncio.run(_soak(ours, home, options.minutes, options.clients)))
    except Failed as error:
        print(error, file=sys.stderr)
        return 1


@contextmanager
def _platform(pace_ms: float) -> Iterator[tuple[Installation, Path]]:
    with tempfile.TemporaryDirectory(prefix="oxlo-soak-") as name:
        folder = Path(name)
        home = folder / "oxlo"
        home.mkdir()
        with engine(folder / "engine") as answering:
            answering.become("openai", pace_ms)
            with installation(home, [model("openai")], [_replica(answering.address)]) as ours:
                yield ours, home


def _replica(address: str) -> Replica:
    return Replica(
        id="soaked-1", model=model("openai"), kind="upstream", dialect="openai", address=address,
        engine_model=model("openai"), slots=SLOTS, context_length=131_072,
        state=ReplicaState.READY, since=time.time(),
    )  # fmt: skip


async def _soak(ours: Installation, home: Path, minutes: float, clients: int) -> Soaked:
    ends = time.monotonic() + minutes * 60
    load = Load(ours.port, ours.key, ends)
    samples: list[Sample] = []
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_watch(ours, ends, samples))
        for number in range(clients):
            tasks.create_task(load.work(random.Random(number)))
    left = await _left(Settings(home=home))
    settled = samples[len(samples) // 5 :]
    third = max(1, len(settled) // 3)
    memory = [(s.at, s.rss_mb) for s in settled]
    step = largest_step(memory)
    return Soaked(
        minutes=minutes,
        sent=dict(load.sent),
        wrong=dict(load.wrong),
        rss_mb=(settled[0].rss_mb, settled[-1].rss_mb),
        rss_slope=slope(memory) * 600,
        rss_step=step,
        rss_slope_beside=slope([(at, mb - step[0] * (at >= step[1])) for at, mb in memory]) * 600,
        fds=(
            statistics.median(s.fds for s in settled[:third]),
            statistics.median(s.fds for s in settled[-third:]),
        ),
        fds_after=_fds(ours),
        left=left,
        samples=samples,
    )


async def _watch(ours: Installation, ends: float, samples: list[Sample]) -> None:
    began = time.monotonic()
    while time.monotonic() < ends:
        await asyncio.sleep(EVERY)
        ours.gateway.check()
        samples.append(Sample(time.monotonic() - began, ours.gateway.rss_mb(), _fds(ours)))


def _fds(ours: Installation) -> int:
    return sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in ours.gateway.tree())


async def _left(settings: Settings) -> dict[str, float]:
    """What the gateway says is still taken, once it had time to notice that all have left."""
    wanted = ("oxlo_slots_in_use", "oxlo_calls_running", "oxlo_queue_length", "oxlo_connections")
    left: dict[str, float] = {}
    for _ in range(100):
        body = await unixhttp.get(settings.gateway_socket("g1"), "/snapshot")
        gauges = msgspec.json.decode(body)["gauges"]
        left = {name: sum(v for n, _, v in gauges if n == name) for name in wanted}
        if not any(left.values()):
            break
        await asyncio.sleep(0.1)
    return left


def slope(points: Sequence[tuple[float, float]]) -> float:
    """The slope of the straight line that is nearest to the points, by least squares."""
    mean_x = statistics.fmean(x for x, _ in points)
    mean_y = statistics.fmean(y for _, y in points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0


def largest_step(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The largest rise from one point to the next, and at which point it is there."""
    rises = ((y - before, x) for (_, before), (x, y) in pairwise(points))
    return max(rises, default=(0.0, 0.0))


class Load:
    """What the clients send, and what they were answered."""

    def __init__(self, port: int, key: str, ends: float) -> None:
        self._port = port
        self._key = key
        self._ends = ends
        self.sent: Counter[str] = Counter()
        self.wrong: Counter[str] = Counter()

    async def work(self, chance: random.Random) -> None:
        """One client: call after call, on a connection that is kept where that is possible."""
        kinds, weights = list(MIX), list(MIX.values())
        client: Client | None = None
        while time.monotonic() < self._ends:
            client = client or await Client.connect(self._port, self._key)
            kind = chance.choices(kinds, weights)[0]
            self.sent[kind] += 1
            try:
                kept = await self._one(client, kind, chance)
            except (OSError, asyncio.IncompleteReadError) as error:
                self.wrong[f"{kind}: {type(error).__name__}"] += 1
                kept = False
            if not kept:
                client.leave()
                client = None
        if client is not None:
            client.leave()

    async def _one(self, client: "Client", kind: Kind, chance: random.Random) -> bool:
        """One call; whether the connection can be used again."""
        if kind == "dropped":
            await client.send(_body(stream=True))
            await client.read_some(chance.randrange(8_000))
            return False
        if kind in ("whole", "stream"):
            await self._expect(client, kind, 200, _body(stream=kind == "stream"))
        elif kind == "repeat":
            key = f"idempotency-key: {chance.getrandbits(64):x}\r\n"
            for _ in range(2):
                await self._expect(client, kind, 200, _body(), key)
        elif kind == "dry":
            await self._expect(client, kind, 200, _body(), "x-oxlo-dry-run: 1\r\n")
        else:
            await self._expect(client, kind, 400, _body(temperature=9))
            return False
        return True

    async def _expect(
        self, client: "Client", kind: Kind, status: int, body: bytes, head: str = ""
    ) -> None:
        await client.send(body, head)
        got = await client.reply()
        if got != status:
            self.wrong[f"{kind}: {got}"] += 1


def _body(**fields: object) -> bytes:
    messages = [{"role": "user", "content": "x" * 600}]
    return msgspec.json.encode(
        {"model": model("openai"), "messages": messages, "max_tokens": 64} | fields
    )


class Client:
    """One connection of a client that knows just enough HTTP."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: str
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._key = key

    @classmethod
    async def connect(cls, port: int, key: str) -> "Client":
        """Open a connection."""
        return cls(*await asyncio.open_connection("127.0.0.1", port), key)

    async def send(self, body: bytes, head: str = "") -> None:
        """Send a call."""
        lines = (
            f"POST {PATH} HTTP/1.1\r\nhost: soak\r\nauthorization: Bearer {self._key}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n{head}\r\n"
        )
        self._writer.write(lines.encode() + body)
        await self._writer.drain()

    async def reply(self) -> int:
        """Read a whole reply; its status."""
        head = await self._reader.readuntil(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next((line for line in lines if line.startswith(b"content-length:")), None)
        if length is not None:
            await self._reader.readexactly(int(length.split(b":")[1]))
        else:
            while size := int(await self._reader.readuntil(b"\r\n"), 16):
                await self._reader.readexactly(size + 2)
            await self._reader.readexactly(2)
        return int(head.split()[1])

    async def read_some(self, most: int) -> None:
        """Read until so many bytes have come, or the reply has ended."""
        seen = b""
        while len(seen) < most and not seen.endswith(b"0\r\n\r\n"):
            data = await self._reader.read(most - len(seen))
            if not data:
                return
            seen += data

    def leave(self) -> None:
        """Hang up without a word."""
        self._writer.transport.abort()


def _show(soaked: Soaked) -> int:
    met = {
        f"RSS grows by {soaked.rss_slope:+.2f} MB in ten minutes (at most {MOST_MB:g})": (
            soaked.rss_slope <= MOST_MB
        ),
        f"descriptors: {soaked.fds[0]:g}, later {soaked.fds[1]:g} (at most {MOST_FDS} more)": (
            soaked.fds[1] - soaked.fds[0] <= MOST_FDS
        ),
        f"still taken at the end: {_words(soaked.left) or 'nothing'}": not any(
            soaked.left.values()
        ),
        f"replies that were wrong: {_words(soaked.wrong) or 'none'}": not soaked.wrong,
    }
    print(f"{soaked.minutes:g} minutes, {sum(soaked.sent.values()):,} calls: {_words(soaked.sent)}")
    print(f"RSS {soaked.rss_mb[0]:.1f} MB after the warm-up, {soaked.rss_mb[1]:.1f} MB at the end")
    print(
        f"its largest step {soaked.rss_step[0]:.2f} MB after {soaked.rss_step[1] / 60:.1f} minutes;"
        f" beside it {soaked.rss_slope_beside:+.2f} MB in ten minutes"
    )
    print(f"descriptors after the load: {soaked.fds_after}")
    for words, was in met.items():
        print(f"{words}: {'met' if was else 'MISSED'}")
    print(f"kept in {machine.save('soak', soaked)}")
    return 0 if all(met.values()) else 1


def _words(counts: dict[str, int] | dict[str, float]) -> str:
    return ", ".join(f"{name} {count:,g}" for name, count in sorted(counts.items()) if count)
