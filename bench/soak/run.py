"""Command line and verdict of the soak test."""

import argparse
import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from bench import machine
from bench.installation import Installation, installation
from bench.overhead.engine import engine, model
from bench.processes import Failed
from bench.soak.load import Load
from bench.soak.trend import largest_step, slope
from oxlo.control import unixhttp
from oxlo.settings import Settings
from oxlo.testing.replicas import replica

MODEL = model("openai")
SLOTS = 16
EVERY = 2.0
#: Target: maximum memory growth in MB (10^6 bytes) per ten minutes after the warm-up.
MOST_MB = 1.0
#: Target: maximum growth of open file descriptors from the first to the last third.
MOST_FDS = 3


class Sample(msgspec.Struct, frozen=True):
    """A sample of the gateway; `at` is in seconds since the start of the load."""

    at: float
    rss_mb: float
    fds: int


class Soaked(msgspec.Struct, frozen=True, kw_only=True):
    """The result."""

    minutes: float
    sent: dict[str, int]
    #: Unexpected responses by kind.
    wrong: dict[str, int]
    rss_mb: tuple[float, float]
    #: MB per ten minutes, by least squares after the warm-up.
    rss_slope: float
    #: The largest rise between consecutive samples after the warm-up in MB, its time in seconds,
    #: and the slope without it.
    rss_step: tuple[float, float]
    rss_slope_beside: float
    #: Medians of the first and last third after the warm-up, and the value after the load.
    fds: tuple[float, float]
    fds_after: int
    #: Gauges that should be 0 after the load.
    left: dict[str, float]
    samples: list[Sample]


def main(arguments: list[str]) -> int:
    """Run, print and save the result; return 1 if anything grew or leaked."""
    parser = argparse.ArgumentParser(prog="python -m bench soak")
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--clients", type=int, default=48)
    # A stream takes about 0.25 s; with 0, an hour of traffic fits into ten minutes.
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
        with engine(folder / "engine") as upstream:
            upstream.become("openai", pace_ms)
            double = replica(MODEL, address=upstream.address, slots=SLOTS, context_length=131_072)
            with installation(home, [MODEL], [double]) as ours:
                yield ours, home


async def _soak(ours: Installation, home: Path, minutes: float, clients: int) -> Soaked:
    ends = time.monotonic() + minutes * 60
    load = Load(ours.port, ours.key, ends)
    samples: list[Sample] = []
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_watch(ours, ends, samples))
        for number in range(clients):
            tasks.create_task(load.work(random.Random(number)))
    left = await _left(Settings(home=home))
    return _soaked(minutes, load, samples, left, _fds(ours))


def _soaked(
    minutes: float, load: Load, samples: list[Sample], left: dict[str, float], fds_after: int
) -> Soaked:
    """Evaluate the samples; the first fifth is the warm-up."""
    settled = samples[len(samples) // 5 :]
    third = max(1, len(settled) // 3)
    memory = [(s.at, s.rss_mb) for s in settled]
    step = largest_step(memory)
    beside = [(at, mb - step[0] * (at >= step[1])) for at, mb in memory]
    return Soaked(
        minutes=minutes,
        sent=dict(load.sent),
        wrong=dict(load.wrong),
        rss_mb=(settled[0].rss_mb, settled[-1].rss_mb),
        rss_slope=slope(memory) * 600,
        rss_step=step,
        rss_slope_beside=slope(beside) * 600,
        fds=(
            statistics.median(s.fds for s in settled[:third]),
            statistics.median(s.fds for s in settled[-third:]),
        ),
        fds_after=fds_after,
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
    """Read the gateway's gauges once it has had time to notice all disconnects."""
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


def _show(soaked: Soaked) -> int:
    rss, step = soaked.rss_mb, soaked.rss_step
    print(f"{soaked.minutes:g} minutes, {sum(soaked.sent.values()):,} calls: {_words(soaked.sent)}")
    print(f"RSS {rss[0]:.1f} MB after the warm-up, {rss[1]:.1f} MB at the end")
    print(
        f"its largest step {step[0]:.2f} MB after {step[1] / 60:.1f} minutes;"
        f" beside it {soaked.rss_slope_beside:+.2f} MB in ten minutes"
    )
    print(f"descriptors after the load: {soaked.fds_after}")
    verdicts = _verdicts(soaked)
    for words, met in verdicts.items():
        print(f"{words}: {'met' if met else 'MISSED'}")
    print(f"kept in {machine.save('soak', soaked)}")
    return 0 if all(verdicts.values()) else 1


def _verdicts(soaked: Soaked) -> dict[str, bool]:
    """Return each target as text, and whether it was met."""
    growth, (before, later) = soaked.rss_slope, soaked.fds
    left, wrong = _words(soaked.left), _words(soaked.wrong)
    return {
        f"RSS grows by {growth:+.2f} MB in ten minutes (at most {MOST_MB:g})": growth <= MOST_MB,
        f"descriptors: {before:g}, later {later:g} (at most {MOST_FDS} more)": (
            later - before <= MOST_FDS
        ),
        f"still taken at the end: {left or 'nothing'}": not left,
        f"replies that were wrong: {wrong or 'none'}": not wrong,
    }


def _words(counts: dict[str, int] | dict[str, float]) -> str:
    return ", ".join(f"{name} {count:,g}" for name, count in sorted(counts.items()) if count)
