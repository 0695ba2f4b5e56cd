"""Six concurrent crowds, each with its own engine double."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from bench.fairness.crowds import ANSWER, PLANS, SHORT, Crowd, Place, tell
from bench.installation import Installation, installation
from oxlo.fleet.registry import Replica
from oxlo.queue import DUE_SHARE, DUE_STEP
from oxlo.testing.engine import EngineDouble, Script
from oxlo.testing.replicas import replica

SLOTS = 4
#: Words per second that a slot reads and generates.
READS, WRITES = 2_000.0, 40.0
LONG = 500
#: Best-effort requests queued at any time, and requests of each of two accounts.
FLOOD, EACH = 220, 12
#: Seconds after which a waiting best-effort request is promoted.
DUE = 4 * DUE_STEP

#: Targets: a Premium request may wait one service time longer; an account 20 % longer.
MOST_RISE = 1.2

CROWDS = ("alone", "flooded", "flooded-fcfs", "short", "long", "long-fcfs")


async def measure(seconds: float) -> bool:
    """Measure the six crowds."""
    async with platform(CROWDS) as (ours, _):
        places = await _crowded(ours, seconds)
    return _show({name: place.crowd for name, place in places.items()}, seconds)


@asynccontextmanager
async def platform(
    crowds: Sequence[str], *, workers: int = 1, valkey: bool = False
) -> AsyncIterator[tuple[Installation, list[EngineDouble]]]:
    """Run a platform with one engine double per crowd."""
    with tempfile.TemporaryDirectory(prefix="oxlo-bench-") as folder:
        home = Path(folder) / "oxlo"
        home.mkdir()
        async with AsyncExitStack() as stack:
            doubles = [await stack.enter_async_context(_double()) for _ in crowds]
            replicas = [_replica(*pair) for pair in zip(crowds, doubles, strict=True)]
            with installation(
                home, crowds, replicas, pinned=False, workers=workers, valkey=valkey, plans=PLANS,
                queue_limit=2 * FLOOD,
            ) as ours:  # fmt: skip
                yield ours, doubles


def _double() -> EngineDouble:
    """Build an engine double of fixed speed."""
    double = EngineDouble("vllm", slots=SLOTS)
    double.default = Script(reads=READS, writes=WRITES)
    return double


def _replica(name: str, double: EngineDouble) -> Replica:
    """Describe it as a replica."""
    return replica(
        name,
        dialect="vllm",
        address=double.address,
        engine_model="double",
        slots=SLOTS,
        context_length=131_072,
    )


def service(words: int = SHORT) -> float:
    """Return the seconds that a request occupies a slot."""
    return words / READS + ANSWER / WRITES


async def _crowded(ours: Installation, seconds: float) -> dict[str, Place]:
    """Run all crowds; for first come, first served, all clients share one account."""
    top, low = ours.new_key("premium", "top"), ours.new_key("flood", "low")
    one, two = ours.new_key("one", "top"), ours.new_key("two", "top")
    half = 0.5 * SLOTS / service()
    places = {name: Place(ours, name, seconds) for name in CROWDS}
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
    """Return the maximum waiting seconds for `who`, as promised in docs/queue.md."""
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
    return tell("fairness", targets, crowds)
