"""Command line of the fairness bench."""

import argparse
import asyncio
import sys

from bench.fairness import doubles, gateways, real
from bench.processes import Failed


def main(arguments: list[str]) -> int:
    """Measure, print and save the results; return 1 if a target was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench fairness", description=__doc__)
    parser.add_argument("--seconds", type=float, default=120, help="of the six crowds; 0: none")
    parser.add_argument("--shared", type=float, default=60, help="of two gateways; 0: not")
    parser.add_argument("--real", type=float, default=30, help="of each crowd there; 0: not")
    options = parser.parse_args(arguments)
    try:
        return 0 if asyncio.run(_measure(options)) else 1
    except* Failed as failed:
        print(*failed.exceptions, sep="\n", file=sys.stderr)
    return 1


async def _measure(options: argparse.Namespace) -> bool:
    met = True
    if options.seconds:
        met &= await doubles.measure(options.seconds)
    if options.shared:
        met &= await gateways.measure(options.shared)
    if options.real:
        met &= await real.measure(options.real)
    return met
