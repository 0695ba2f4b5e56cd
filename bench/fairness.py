"""Who waits how long when a model is full: by plan and account, beside first come, first served.

Six crowds at the same time, each before an engine of its own whose speeds are stated; the gateway
tells how long each call waited. With `--real`, plans before a real llama.cpp engine as well.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean

import msgspec

from bench import engines, machine
from bench.installation import Installation, installation
from bench.processes import Failed
from oxlo import catalogue
from oxlo.engines.llamacpp import LlamaCpp
from oxlo.fleet import machine as host
from oxlo.fleet.registry import Replica, ReplicaState
from oxlo.queue import DUE_SHARE, DUE_STEP
from oxlo.settings import Settings
from oxlo.testing.engine import EngineDouble, Script

SLOTS = 4
#: Words a second that a slot reads and answers.
READS, WRITES = 2_000.0, 40.0
SHORT, LONG, ANSWER = 50, 500, 16
#: Best-effort calls that wait at any time, and calls of each of two accounts.
FLOOD, EACH = 220, 12
#: Seconds at which a best-effort call is due.
DUE = 4 * DUE_STEP
REAL = "smollm2-135m"

#: A Premium call may wait one call's time longer; an account a fifth longer.
MOST_RISE = 1.2

PLANS = """
[plan.top]
name = "Top"
tiers = ["free", "pro", "premium"]
queue = "highest"
queue_wait = 600

[plan.low]
name = "Low"
tiers = ["free", "pro", "premium"]
queue = "best_effort"
queue_wait = 600
"""


@dataclass
class Crowd:
    """Calls that compete for one engine, and how long each waited: (sent at, seconds)."""

    waits: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    answered: int = 0

    def p95(self, who: str) -> float:
        """Seconds."""
        waits = sorted(wait for _, wait in self.waits[who])
        return waits[int(len(waits) * 0.95)]

    def longest(self, who: str) -> float:
        """Seconds."""
        return max(wait for _, wait in self.waits[who])


class Place:
    """A model at the gateway."""

    def __init__(self, ours: Installation, model: str, until: float) -> None:
        self.model = model
        self.until = until
        self.crowd = Crowd()
        self._port = ours.port

    async def call(self, who: str, key: str, words: int) -> None:
        """One call; its wait is noted under `who`."""
        sent = time.monotonic()
        body = _body(self.model, words)
        head = await _head(self._port, key, body)
        if b" 200 " not in head[:20]:
            raise Failed(head[:300].decode(errors="replace"))
        waited = int(head.partition(b"x-oxlo-queue-ms: ")[2].partition(b"\r")[0]) / 1000
        self.crowd.waits.setdefault(who, []).append((sent, waited))
        self.crowd.answered += 1

    async def at_rate(self, who: str, key: str, rate: float, words: int = SHORT) -> None:
        """Calls that come at random, so many a second, whatever becomes of those before."""
        chance = random.Random(who)
        async with asyncio.TaskGroup() as calls:
            while time.monotonic() < self.until:
                calls.create_task(self.call(who, key, words))
                await asyncio.sleep(chance.expovariate(rate))

    async def at_once(self, who: str, key: str, number: int, words: int = SHORT) -> None:
        """So many calls at any time."""

        async def one() -> None:
            while time.monotonic() < self.until:
                await self.call(who, key, words)

        await asyncio.gather(*(one() for _ in range(number)))


def _body(model: str, words: int) -> bytes:
    text = " ".join(["whale"] * words)
    messages = [{"role": "user", "content": text}]
    return msgspec.json.encode({"model": model, "messages": messages, "max_tokens": ANSWER})


async def _head(port: int, key: str, body: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n"
            b"authorization: Bearer %b\r\ncontent-type: application/json\r\n"
            b"content-length: %d\r\n\r\n" % (key.encode(), len(body)) + body
        )
        return await reader.read()
    finally:
        writer.close()


def main(arguments: list[str]) -> int:
    """Measure, print and keep the result; 1 when a target was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench fairness", description=__doc__)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--real", type=float, default=0, metavar="SECONDS", help="a real engine")
    options = parser.parse_args(arguments)
    try:
        return asyncio.run(_measure(options))
    except* Failed as failed:
        print(*failed.exceptions, sep="\n", file=sys.stderr)
    return 1


async def _measure(options: argparse.Namespace) -> int:
    met = await _doubles(options.seconds) if options.seconds else True
    if options.real:
        met &= await _real(options.real)
    return 0 if met else 1


CROWDS = ("alone", "flooded", "flooded-fcfs", "short", "long", "long-fcfs")


async def _doubles(seconds: float) -> bool:
    with tempfile.TemporaryDirectory(prefix="oxlo-bench-") as folder:
        home = Path(folder) / "oxlo"
        home.mkdir()
        async with AsyncExitStack() as stack:
            doubles = [await stack.enter_async_context(_double()) for _ in CROWDS]
            replicas = [_replica(*pair) for pair in zip(CROWDS, doubles, strict=True)]
            with installation(
                home, CROWDS, replicas, pinned=False, plans=PLANS, queue_limit=2 * FLOOD
            ) as ours:
                places = await _crowded(ours, seconds)
    return _show({name: place.crowd for name, place in places.items()}, seconds)


def _double() -> EngineDouble:
    double = EngineDouble("vllm", slots=SLOTS)
    double.default = Script(reads=READS, writes=WRITES)
    return double


def _replica(name: str, double: EngineDouble) -> Replica:
    return Replica(
        id=name,
        model=name,
        kind="upstream",
        dialect="vllm",
        address=double.address,
        engine_model="double",
        slots=SLOTS,
        context_length=131_072,
        state=ReplicaState.READY,
        since=time.time(),
    )


def service(words: int = SHORT) -> float:
    """Seconds that a call has a slot."""
    return words / READS + ANSWER / WRITES


async def _crowded(ours: Installation, seconds: float) -> dict[str, Place]:
    """All crowds at once; who stands first come, first served is one account to the gateway."""
    top, low = ours.new_key("premium", "top"), ours.new_key("flood", "low")
    one, two = ours.new_key("one", "top"), ours.new_key("two", "top")
    half = 0.5 * SLOTS / service()
    until = time.monotonic() + seconds
    places = {name: Place(ours, name, until) for name in CROWDS}
    await asyncio.gather(
        places["alone"].at_rate("premium", top, half),
        places["flooded"].at_rate("premium", top, half),
        places["flooded"].at_once("flood", low, FLOOD),
        places["flooded-fcfs"].at_rate("premium", top, half),
        places["flooded-fcfs"].at_once("flood", top, FLOOD),
        places["short"].at_once("one", one, EACH),
        places["short"].at_once("two", two, EACH),
        places["long"].at_once("one", one, EACH),
        places["long"].at_once("two", two, EACH, LONG),
        places["long-fcfs"].at_once("one", one, EACH),
        places["long-fcfs"].at_once("two", one, EACH, LONG),
    )
    return places


def bound(crowd: Crowd, who: str, rate: float) -> float:
    """Seconds that nobody of `who` may wait longer: what docs/queue.md promises."""
    calls = sorted(crowd.waits[who])
    most = 0
    for sent, wait in calls:
        if wait > DUE:
            due = sent + DUE
            before = sum(1 for other, its in calls if other < sent and other + its > due)
            most = max(most, before)
    return DUE + DUE_SHARE * (most + 1) / rate


def _show(crowds: dict[str, Crowd], seconds: float) -> bool:
    alone, flooded, fcfs = (crowds[name] for name in CROWDS[:3])
    short, long, mixed = (crowds[name] for name in CROWDS[3:])
    rate = SLOTS / service()
    promised = bound(flooded, "flood", rate)
    print(
        f"{SLOTS} slots, {READS:g} words/s read and {WRITES:g} answered by each; a call of {SHORT}"
        f" and {ANSWER} words takes {service():.2f} s, one of {LONG} {service(LONG):.2f} s;"
        f" {seconds:g} s\n"
    )
    print(f"{'wait, seconds':52} {'p95':>7} {'longest':>8}")
    for what, crowd, who in (
        ("Premium at 50 % of capacity, alone", alone, "premium"),
        (f"  beside {FLOOD} best-effort calls", flooded, "premium"),
        ("  the same, first come first served", fcfs, "premium"),
        ("best effort, beside Premium", flooded, "flood"),
        (f"an account beside another, {EACH} calls each", short, "one"),
        ("  the other's prompts ten times longer", long, "one"),
        ("  the same, first come first served", mixed, "one"),
    ):
        print(f"{what:52} {crowd.p95(who):7.2f} {crowd.longest(who):8.2f}")
    targets = {
        f"Premium waits at most one call longer ({service():.2f} s)": (
            flooded.p95("premium") <= alone.p95("premium") + service()
        ),
        f"best effort waits at most {promised:.0f} s": flooded.longest("flood") <= promised,
        f"long prompts of another: at most {MOST_RISE:g} times the wait": (
            long.p95("one") <= MOST_RISE * short.p95("one")
        ),
    }
    return _tell("fairness", targets, crowds)


def _tell(name: str, targets: dict[str, bool], crowds: dict[str, Crowd]) -> bool:
    for what, kept in targets.items():
        print(f"{what}: {'met' if kept else 'MISSED'}")
    waits = {crowd: {who: [w for _, w in ws] for who, ws in c.waits.items()}
             for crowd, c in crowds.items()}  # fmt: skip
    print(f"kept in {machine.save(name, waits)}")
    return all(targets.values())


async def _real(seconds: float) -> bool:
    """Premium at half of what a real engine can do, alone and flooded."""
    with tempfile.TemporaryDirectory(prefix="oxlo-bench-") as folder:
        home = Path(folder) / "oxlo"
        home.mkdir()
        model = catalogue.load().resolve(REAL)
        settings = Settings(home=Path(folder), llamacpp_slots=SLOTS, llamacpp_context=1024)
        launch = LlamaCpp().launch(
            model, model.variants[0], settings, engines.files(REAL), host.here()
        )
        async with engines.started(launch, Path(folder)) as (replica, _):
            with installation(home, (), [replica], pinned=False, plans=PLANS) as ours:
                return await _flooded(ours, seconds)


async def _flooded(ours: Installation, seconds: float) -> bool:
    top, low = ours.new_key("premium", "top"), ours.new_key("flood", "low")
    crowds: dict[str, Crowd] = {}

    async def crowd(name: str, share: float, flood: int, key: str = low) -> Crowd:
        place = Place(ours, REAL, time.monotonic() + seconds)
        calls = [place.at_rate("premium", top, share)] if share else []
        calls += [place.at_once("flood", key, flood)] if flood else []
        await asyncio.gather(*calls)
        crowds[name] = place.crowd
        return place.crowd

    full = await crowd("full", 0, SLOTS)
    rate = full.answered / seconds
    alone = await crowd("alone", rate / 2, 0)
    flooded = await crowd("flooded", rate / 2, 4 * SLOTS)
    fcfs = await crowd("flooded-fcfs", rate / 2, 4 * SLOTS, top)
    once = SLOTS / rate
    print(f"\n{REAL} on llama.cpp, {SLOTS} slots: {rate:.1f} calls/s, {once:.2f} s each when full")
    print(f"{'wait of Premium at half of that, seconds':52} {'p95':>7} {'longest':>8} {'mean':>7}")
    for what, found in (
        ("  alone", alone),
        (f"  beside {4 * SLOTS} best-effort calls", flooded),
        ("  the same, first come first served", fcfs),
    ):
        waits = [wait for _, wait in found.waits["premium"]]
        print(f"{what:52} {found.p95('premium'):7.2f} {max(waits):8.2f} {mean(waits):7.2f}")
    kept = flooded.p95("premium") <= alone.p95("premium") + once
    return _tell("fairness-real", {"Premium waits at most one call longer": kept}, crowds)
