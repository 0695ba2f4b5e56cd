"""The command line of benches that compare the platform with a bare library."""

import argparse
import asyncio
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import TypeVar

from bench.calls import Refused
from bench.processes import Failed
from oxlo.engines.base import CannotLaunch
from oxlo.hardware import machine

Rows = TypeVar("Rows")
Memory = TypeVar("Memory")


def run(
    name: str,
    arguments: Sequence[str],
    measure: Callable[[int, int], Coroutine[None, None, tuple[Rows, Memory]]],
    show: Callable[[Rows, Memory, int], int],
    *,
    rounds: int,
) -> int:
    """Run `measure(rounds, threads)` and show its result; return 1 on failure."""
    parser = argparse.ArgumentParser(prog=f"python -m bench {name}")
    parser.add_argument("--rounds", type=int, default=rounds, help="of each row, both ways")
    parser.add_argument("--threads", type=int, default=0, help="of engine and library")
    options = parser.parse_args(arguments)
    threads = options.threads or machine.here().cores
    try:
        rows, memory = asyncio.run(measure(options.rounds, threads))
    except (Failed, Refused, CannotLaunch) as error:
        print(error, file=sys.stderr)
        return 1
    return show(rows, memory, threads)
