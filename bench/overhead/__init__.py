"""Overhead of the gateway per request, compared with its peers."""

import argparse
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import msgspec

from bench import machine
from bench.overhead import load, report
from bench.overhead.engine import Engine, engine
from bench.overhead.peers import PEERS, SHARED
from bench.overhead.report import Verdict
from bench.overhead.rows import ROWS, Row
from bench.overhead.run import Sample, begin, cells, samples
from bench.processes import Failed


class Measured(msgspec.Struct, frozen=True):
    """Versions of the peers, reasons for missing ones, and all samples."""

    versions: dict[str, str]
    missing: dict[str, str]
    samples: list[Sample]


def main(arguments: list[str]) -> int:
    """Measure, print and save a table; return 1 if a target was missed."""
    options = _options(arguments)
    rows = [row for row in ROWS if row.name in options.rows]
    try:
        load.check()
        with tempfile.TemporaryDirectory(prefix="oxlo-bench-") as name, ExitStack() as stack:
            folder = Path(name)
            measured = _measure(rows, options, folder, stack)
    except Failed as error:
        print(error, file=sys.stderr)
        return 1
    verdicts = _show(rows, measured)
    return 0 if all(verdict.met for verdict in verdicts) else 1


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench overhead", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3, help="of each load")
    parser.add_argument("--quick", action="store_true", help="one round of two seconds")
    parser.add_argument("--rows", default="", help=", ".join(row.name for row in ROWS))
    parser.add_argument("--peers", default="", help=", ".join(PEERS))
    parser.add_argument("--valkey", action="store_true", help="also with limits in a Valkey")
    options = parser.parse_args(arguments)
    named = bool(options.peers)
    if options.quick:
        options.rounds, options.seconds = 1, 2
    options.rows = _chosen(parser, options.rows, [row.name for row in ROWS])
    options.peers = _chosen(parser, options.peers, list(PEERS))
    if not options.valkey and not named:
        options.peers.remove(SHARED)
    return options


def _chosen(parser: argparse.ArgumentParser, text: str, known: list[str]) -> list[str]:
    chosen = [name for name in text.split(",") if name] or known
    for name in chosen:
        if name not in known:
            parser.error(f"no {name!r}; there are {', '.join(known)}")
    return chosen


def _measure(
    rows: list[Row], options: argparse.Namespace, folder: Path, stack: ExitStack
) -> Measured:
    place: Engine = stack.enter_context(engine(folder / "engine"))
    peers, missing = begin(options.peers, place, folder, stack)
    taken = []
    for sample in samples(peers, rows, place, options.rounds, options.seconds, folder):
        print(f"{sample.row} {sample.peer} {sample.cpu_us:.2f} us", file=sys.stderr)
        taken.append(sample)
    return Measured({peer.name: peer.version for peer in peers}, missing, taken)


def _show(rows: list[Row], measured: Measured) -> list[Verdict]:
    medians = cells(measured.samples)
    verdicts = report.verdicts(rows, medians)
    print(", ".join(f"{name} {version}" for name, version in measured.versions.items()))
    print(report.table(medians))
    for name, reason in measured.missing.items():
        print(f"{name} was not measured: {reason}")
    print(f"\n{report.beside(medians)}\n\n{report.judged(verdicts)}\n")
    result = {"measured": measured, "cells": medians, "verdicts": verdicts}
    print(f"kept in {machine.save('overhead', result)}")
    return verdicts
