"""Chats with a real llama.cpp engine, through the gateway and directly.

Rounds alternate between the two; the result is the median of the paired ratios.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import msgspec

from bench import engines, machine
from bench.calls import Refused
from bench.chats import Chat, Place, chat, fields
from bench.installation import Installation, installation
from bench.processes import Failed
from oxlo.engines.base import CannotLaunch, Launch
from oxlo.engines.llamacpp import LlamaCpp
from oxlo.fleet.registry import Replica
from oxlo.hardware import machine as host
from oxlo.settings import Settings

MODEL = "smollm2-135m"
#: Concurrent chats, and the engine's slots.
PARALLEL = 4
TOKENS = 64
TEXT = "Tell me a long story about a whale that wanted to fly."

#: Targets: minimum share of the engine's throughput; maximum added milliseconds to first token.
LEAST_RATIO = 0.97
MOST_LATER_MS = 2.0

Measure = Callable[[Place], Awaitable[float]]


class Pair(msgspec.Struct, frozen=True):
    """The same measurement both ways."""

    straight: float
    gateway: float


def main(arguments: list[str]) -> int:
    """Measure, print and save the results; return 1 if a target was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench real_engine", description=__doc__)
    parser.add_argument("--rounds", type=int, default=12, help="of four chats each way")
    parser.add_argument("--firsts", type=int, default=60, help="single chats each way")
    options = parser.parse_args(arguments)
    try:
        rates, firsts = asyncio.run(_measure(options.rounds, options.firsts))
    except (Failed, Refused, CannotLaunch) as error:
        print(error, file=sys.stderr)
        return 1
    return _show(rates, firsts)


async def _measure(rounds: int, singles: int) -> tuple[list[Pair], list[Pair]]:
    """Measure throughput of parallel chats, and time to first token of single ones."""
    with tempfile.TemporaryDirectory(prefix="oxlo-bench-") as name:
        async with engines.started(_launch(Path(name)), Path(name)) as (replica, _):
            home = Path(name) / "oxlo"
            home.mkdir()
            with installation(home, (), [replica], pinned=False) as ours:
                ways = _ways(replica, ours)
                for way in ways:
                    await _rate(way)  # warm-up
                rates = [await _pair(_rate, ways, number) for number in range(rounds)]
                return rates, [await _pair(_first, ways, number) for number in range(singles)]


async def _pair(measure: Measure, ways: tuple[Place, Place], number: int) -> Pair:
    """Measure both ways, in alternating order."""
    order = ways if number % 2 else ways[::-1]
    results = {way.name: await measure(way) for way in order}
    return Pair(results["straight"], results["gateway"])


def _ways(replica: Replica, ours: Installation) -> tuple[Place, Place]:
    port = urlsplit(replica.address).port or 80
    return Place("straight", port, replica.api_key), Place("gateway", ours.port, ours.key)


def _launch(home: Path) -> Launch:
    """Configure the engine, with `OXLO_LLAMACPP_THREADS` or the default for the machine."""
    threads = Settings.read().llamacpp_threads
    settings = Settings(
        home=home, llamacpp_threads=threads, llamacpp_slots=PARALLEL, llamacpp_context=1024
    )
    return LlamaCpp().launch(engines.spec(MODEL, host.here(), settings))


async def _rate(way: Place) -> float:
    """Measure tokens per second of parallel chats."""
    began = time.perf_counter()
    chats = await asyncio.gather(*[_chat(way) for _ in range(PARALLEL)])
    return sum(one.tokens for one in chats) / (time.perf_counter() - began)


async def _first(way: Place) -> float:
    """Measure milliseconds to the first token of a chat."""
    return (await _chat(way, tokens=2)).first_ms


async def _chat(way: Place, tokens: int = TOKENS) -> Chat:
    return await chat(way, fields(MODEL, TEXT, tokens))


def _show(rates: list[Pair], firsts: list[Pair]) -> int:
    ratio = median(pair.gateway / pair.straight for pair in rates)
    later = median(pair.gateway for pair in firsts) - median(pair.straight for pair in firsts)
    fast, soon = ratio >= LEAST_RATIO, later <= MOST_LATER_MS
    print(f"{'':34} straight  gateway")
    print(f"{f'tokens/s, {PARALLEL} chats at once':34} {_medians(rates)}")
    print(f"{'ms to the first word, one chat':34} {_medians(firsts)}")
    print(f"throughput {ratio:.3f} of the engine's (at least {LEAST_RATIO}): {_word(fast)}")
    print(f"first word {later:+.2f} ms (at most {MOST_LATER_MS:g}): {_word(soon)}")
    result = {"rates": rates, "firsts": firsts, "ratio": ratio, "later_ms": later}
    print(f"kept in {machine.save('real_engine', result)}")
    return 0 if fast and soon else 1


def _medians(pairs: list[Pair]) -> str:
    straight = median(pair.straight for pair in pairs)
    return f"{straight:8.1f} {median(pair.gateway for pair in pairs):8.1f}"


def _word(met: bool) -> str:
    return "met" if met else "MISSED"
