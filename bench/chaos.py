"""Requests while gateways, Valkey, control and the engine are killed, verified one by one.

    python -m bench chaos [--calls 10000] [--workers 3] [--every 2.0]

What clients saw must agree with the records: a complete response is counted once, an error is not
counted, and an interrupted response may be either but has exactly one outcome. At the end, no lease
is held, and Valkey's counts equal those of the records.
"""

import argparse
import asyncio
import contextlib
import os
import random
import signal
import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from bench import machine
from bench.installation import Installation, installation, key, oxlo
from bench.processes import Failed, Process, free_port
from oxlo.testing.replicas import replica
from oxlo.testing.script import Script

MODEL = "bench"
CLIENTS = 40
#: One request in this many is aborted by its client.
LEAVES = 12
#: Seconds until a dead gateway's leases have expired, including the heartbeat interval.
LEASES = 32.0


class Observation(msgspec.Struct, frozen=True):
    """What a client saw of a request; `id` is "" if it received no response head."""

    id: str
    what: str


class Verdict(msgspec.Struct, frozen=True):
    """The result of the run."""

    seen: dict[str, int]
    kills: dict[str, int]
    outcomes: dict[str, int]
    #: Requests whose record disagrees with what the client saw.
    wrong: list[str]
    counted: int
    in_valkey: int
    leases: int

    @property
    def right(self) -> bool:
        """Whether everything is consistent."""
        return not self.wrong and not self.leases and self.counted == self.in_valkey


def main(arguments: list[str]) -> int:
    """Run, print and save the verdict; return 1 if anything is inconsistent."""
    parser = argparse.ArgumentParser(prog="python -m bench chaos", description=__doc__)
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--every", type=float, default=2.0, help="seconds between two kills")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    try:
        verdict = run(options.calls, options.workers, options.every, options.seed)
    except Failed as error:
        print(error, file=sys.stderr)
        return 1
    print(f"killed: {verdict.kills}\nclients saw: {verdict.seen}\nrecords say: {verdict.outcomes}")
    print(
        f"counted: {verdict.counted} in records, {verdict.in_valkey} in Valkey; "
        f"leases left: {verdict.leases}; disagreements: {len(verdict.wrong)}"
    )
    print("\n".join(verdict.wrong[:20]))
    print(f"kept in {machine.save('chaos', verdict)}")
    return 0 if verdict.right else 1


def run(calls: int, workers: int, every: float, seed: int = 0) -> Verdict:
    """Run once in an empty folder. Raises Failed."""
    with tempfile.TemporaryDirectory(prefix="oxlo-bench-") as name:
        home = Path(name) / "oxlo"
        home.mkdir()
        port = free_port()
        engine = [sys.executable, "-m", "oxlo.testing.engine", "--port", str(port)]
        double = replica(MODEL, address=f"http://127.0.0.1:{port}", slots=16, context_length=8192)
        with (
            Process([*engine, "--model", MODEL], home / "engine.log", None) as process,
            installation(
                home, [MODEL], [double], pinned=False, workers=workers, valkey=True
            ) as ours,
        ):
            process.wait_for_port(port)
            with Cluster(home, ours, workers, engine, process, port) as cluster:
                return asyncio.run(_chaos(cluster, calls, every, random.Random(seed)))


class Cluster:
    """The processes that are killed and restarted."""

    def __init__(
        self,
        home: Path,
        ours: Installation,
        workers: int,
        engine: list[str],
        process: Process,
        port: int,
    ) -> None:
        self.home = home
        self.port = ours.port
        self.env = ours.env
        assert ours.valkey is not None
        self.commands: dict[str, list[str]] = {
            f"g{n}": oxlo("gateway", "--name", f"g{n}", "--share-port")
            for n in range(1, workers + 1)
        }
        self.commands |= {
            "valkey": oxlo("valkey"),
            "control": oxlo("control"),
            "engine": [*engine, "--model", MODEL],
        }
        self.running = dict(zip(self.commands, [*ours.gateways, ours.valkey], strict=False))
        self.running |= {"control": ours.control, "engine": process}
        self.engine_port = port
        self.kills: Counter[str] = Counter()
        self._mine: list[Process] = []

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, *details: object) -> None:
        for process in self._mine:
            process.end()

    def kill(self, name: str) -> None:
        """Kill a process and its children with SIGKILL."""
        self.kills["gateway" if name.startswith("g") else name] += 1
        for pid in reversed(self.running[name].tree()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def start(self, name: str) -> None:
        """Restart a process."""
        log = self.home / f"{name}-{sum(self.kills.values())}.log"
        process = Process(self.commands[name], log, None, self.env)
        self._mine.append(process)
        self.running[name] = process
        if name == "engine":
            process.wait_for_port(self.engine_port)
            _slow_down(self.engine_port)


def _slow_down(port: int) -> None:
    """Slow down the engine's responses."""
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("POST", "/_script", msgspec.json.encode(Script(delay=0.03)))
    connection.getresponse().read()
    connection.close()


async def _chaos(cluster: Cluster, calls: int, every: float, rng: random.Random) -> Verdict:
    await asyncio.to_thread(_slow_down, cluster.engine_port)
    api_key = await asyncio.to_thread(key, cluster.env, "crowd")
    seen: list[Observation] = []
    left = iter(range(calls))
    killing = asyncio.create_task(_kill(cluster, every, rng))
    async with asyncio.TaskGroup() as clients:
        for _ in range(CLIENTS):
            clients.create_task(_client(cluster.port, api_key, left, seen, rng))
    killing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await killing
    await asyncio.sleep(LEASES)
    day, leases = await _limits(cluster.port, api_key)
    await asyncio.sleep(2)  # control drains twice a second
    return _verdict(cluster, seen, day, leases)


async def _kill(cluster: Cluster, every: float, rng: random.Random) -> None:
    """Kill the processes in turn, each after the last one is back."""
    names = list(cluster.commands)
    while True:
        await asyncio.sleep(every * (0.5 + rng.random()))
        name = rng.choice(names)
        cluster.kill(name)
        await asyncio.shield(asyncio.to_thread(cluster.start, name))


async def _client(
    port: int, api_key: str, left: Iterator[int], seen: list[Observation], rng: random.Random
) -> None:
    for number in left:
        stream, leave = bool(number % 2), number % LEAVES == 0
        try:
            async with asyncio.timeout(60):
                observation = await _call(port, api_key, stream, leave)
        except TimeoutError:
            observation = Observation("", "hung")
        seen.append(observation)
        # back off briefly before the next request
        if observation.what in ("error", "unreachable", "cut"):
            await asyncio.sleep(0.4 * rng.random())


async def _call(port: int, api_key: str, stream: bool, leave: bool) -> Observation:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}], "stream": stream}
    raw = msgspec.json.encode(body)
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        f"connection: close\r\nauthorization: Bearer {api_key}\r\n"
        f"content-length: {len(raw)}\r\n\r\n"
    )
    call = ""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return Observation("", "unreachable")
    try:
        writer.write(head.encode() + raw)
        if leave and not stream:
            await asyncio.sleep(0.005)
            return Observation("", "left")
        response = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        call = response.partition("x-request-id: ")[2].split("\r\n")[0]
        if leave:
            return Observation(call, "left")
        return Observation(call, _classify(int(response.split()[1]), response, await reader.read()))
    except (OSError, asyncio.IncompleteReadError):
        return Observation(call, "cut")
    finally:
        writer.close()


def _classify(status: int, head: str, body: bytes) -> str:
    """Classify a response: complete, cut off or an error."""
    if "chunked" in head:
        whole = body.endswith(b"0\r\n\r\n")
        good = b"data: [DONE]" in body
    else:
        whole = len(body) == int(head.partition("content-length: ")[2].split("\r\n")[0])
        good = status == 200
    if not whole:
        return "cut"
    return "answered" if good and status == 200 else "error"


async def _limits(port: int, api_key: str) -> tuple[int, int]:
    """Return Valkey's count of today, and the number of leases held."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"GET /v1/limits HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {api_key}\r\n"
    writer.write(f"{head}connection: close\r\n\r\n".encode())
    response = msgspec.json.decode((await reader.read()).partition(b"\r\n\r\n")[2])
    writer.close()
    return response["day"]["used"], response["concurrency"]["in_use"]


#: Allowed outcomes in the record by what the client saw; "" means no record.
_ALLOWED: dict[str, Callable[[str, int], bool]] = {
    "answered": lambda outcome, counted: outcome == "answered" and counted == 1,
    "error": lambda outcome, counted: counted == 0 and outcome != "running",
    "cut": lambda outcome, counted: outcome != "running",
    "left": lambda outcome, counted: outcome != "running",
}


def _verdict(cluster: Cluster, seen: list[Observation], day: int, leases: int) -> Verdict:
    with sqlite3.connect(cluster.home / "oxlo.db") as db:
        rows = db.execute("select id, outcome, counted from calls").fetchall()
    records = {call: (outcome, counted) for call, outcome, counted in rows}
    wrong = [
        f"{call}: still runs" for call, (outcome, _) in records.items() if outcome == "running"
    ]
    for observation in seen:
        if observation.what == "hung":
            wrong.append("a call hung")
        elif observation.id and not _ALLOWED[observation.what](
            *records.get(observation.id, ("", 0))
        ):
            wrong.append(
                f"{observation.id}: seen {observation.what}, recorded {records.get(observation.id)}"
            )
    return Verdict(
        dict(Counter(observation.what for observation in seen)),
        dict(cluster.kills),
        dict(Counter(outcome for outcome, _ in records.values())),
        wrong,
        sum(counted for _, counted in records.values()),
        day,
        leases,
    )
