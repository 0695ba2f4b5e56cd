"""The gateway's resident memory after 20,000 and after 200,000 requests: it must not grow.

Whole and streamed chats alternate, with journal, limits and metrics enabled.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import msgspec

from bench import machine
from bench.overhead import load
from bench.overhead.engine import Engine, engine, model
from bench.overhead.load import Kind, Load
from bench.overhead.peers import Peer, gateway
from bench.processes import Failed

#: Allowed growth between the readings, in MB (10^6 bytes).
MOST_MB = 10.0


class Reading(msgspec.Struct, frozen=True):
    """Memory after a number of requests."""

    requests: int
    rss_mb: float


def main(arguments: list[str]) -> int:
    """Measure, print and save the readings; return 1 if memory grew."""
    parser = argparse.ArgumentParser(prog="python -m bench memory", description=__doc__)
    parser.add_argument("--requests", type=int, nargs=2, default=(20_000, 200_000))
    goals = parser.parse_args(arguments).requests
    try:
        load.check()
        readings = _measure(goals)
    except Failed as error:
        print(error, file=sys.stderr)
        return 1
    return _show(readings)


def _measure(goals: tuple[int, int]) -> list[Reading]:
    with tempfile.TemporaryDirectory(prefix="oxlo-bench-") as name:
        folder = Path(name)
        home = folder / "oxlo"
        home.mkdir()
        with engine(folder / "engine") as upstream, gateway(upstream, home) as ours:
            readings = [Reading(0, ours.process.rss_mb())]
            return readings + [_after(goal, ours, upstream, folder) for goal in goals]


def _after(goal: int, ours: Peer, upstream: Engine, folder: Path) -> Reading:
    """Send requests until the engine has received `goal` chats. Raises Failed on any error."""
    kinds: tuple[Kind, ...] = ("whole", "stream")
    while upstream.chats() < goal:
        for kind in kinds:
            sent = load.send(_load(ours, kind), 1, folder)
            if sent.errors:
                raise Failed(f"{sent.errors} of {sent.requests} requests failed")
    ours.process.wait_for_quiet()
    return Reading(upstream.chats(), ours.process.rss_mb())


def _load(ours: Peer, kind: Kind) -> Load:
    return Load(
        model=model("openai"), kind=kind, size=1024, connections=64, port=ours.port, key=ours.key
    )


def _show(readings: list[Reading]) -> int:
    print(f"{'requests':>10}  RSS MB")
    for reading in readings:
        print(f"{reading.requests:10,}  {reading.rss_mb:6.1f}")
    grown = readings[-1].rss_mb - readings[1].rss_mb
    met = grown <= MOST_MB
    print(f"grown by {grown:.1f} MB (at most {MOST_MB:g}): {'met' if met else 'MISSED'}")
    print(f"kept in {machine.save('memory', readings)}")
    return 0 if met else 1
