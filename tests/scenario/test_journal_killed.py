"""A process that writes a journal is killed without warning, at any moment."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.processes import ending

from oxlo.ledger.recovery import decode, recover
from oxlo.ledger.segment import segments
from oxlo.ledger.windows import day_of

WRITER = """
import asyncio, itertools, os, sys
from pathlib import Path
from oxlo.ledger.journal import Journal
from oxlo.ledger.memory import MemoryLedger
from oxlo.ledger.records import Snapshot
from oxlo.plans import Plan
from oxlo.testing.journal import admitted, ended

ledger = MemoryLedger()
plan = Plan(id="p", name="P", tiers=frozenset(), queue="high")
open_calls = {}

def say(text):
    os.write(1, text.encode())

async def client(journal, number, at):
    loop = asyncio.get_running_loop()
    for turn in itertools.count():
        held = ledger.reserve("c", "a", plan, at, print)
        call = open_calls[held] = admitted(f"{number}-{turn}", at, "a")
        written = loop.create_future()
        journal.append(call, lambda: (say(f"admitted {call.id}\\n"), written.set_result(None)))
        await written
        ledger.settle(held, counted=True, minute_counted=True, now=at)
        del open_calls[held]
        written = loop.create_future()
        end = ended(call, at)
        journal.append(end, lambda: (say(f"settled {call.id}\\n"), written.set_result(None)))
        await written

async def main(folder, at):
    journal = Journal(
        Path(folder), "g1", on_full="stop", schedule=asyncio.get_running_loop().call_soon,
        snapshot=lambda: Snapshot(at, ledger.snapshot(at), tuple(open_calls.values())),
        segment_bytes=20_000,
    )
    await asyncio.gather(*(client(journal, number, at) for number in range(8)))

asyncio.run(main(sys.argv[1], float(sys.argv[2])))
"""
AT = 1_795_392_000.0


def killed(folder: Path, after: int) -> list[tuple[str, str]]:
    """Kill the writer once `after` lines were read, and return everything it reported."""
    command = [sys.executable, "-c", WRITER, str(folder), str(AT)]
    with ending(subprocess.Popen(command, stdout=subprocess.PIPE, text=True)) as writer:
        assert writer.stdout is not None
        reported = [writer.stdout.readline() for _ in range(after)]
        writer.kill()
        reported += writer.stdout.readlines()
    lines = [line.split() for line in reported if line.endswith("\n")]
    return [(verb, call) for verb, call in lines]


@pytest.mark.parametrize("after", [1, 2, 150, 1_000])
def test_what_was_reported_is_on_disk(tmp_path: Path, after: int) -> None:
    """Whatever a client may know of is in the journal, however suddenly the gateway died."""
    reported = killed(tmp_path, after)
    lines = [line for path in segments(tmp_path, "g1") for line in path.read_bytes().splitlines()]
    names = {"Admitted": "admitted", "Settled": "settled"}
    kept = {(names.get(type(r).__name__), getattr(r, "id", "")) for r in decode(lines)}
    assert len(reported) >= after
    assert set(reported) <= kept


@pytest.mark.parametrize("after", [1, 150, 1_000])
def test_counts_survive(tmp_path: Path, after: int) -> None:
    """After the kill each call counts once if it was answered, and not at all if it was lost."""
    reported = killed(tmp_path, after)
    recovered = recover(tmp_path, "g1", AT)
    answered = {call for verb, call in reported if verb == "settled"}
    admitted = {call for verb, call in reported if verb == "admitted"}
    lost = {record.id for record in recovered.lost}
    ((account, day, counted, *_),) = recovered.counts
    assert (account, day) == ("a", day_of(AT))
    assert not lost & answered
    # A call that was on disk but not yet reported may be either: at most one for each client.
    assert len(answered) <= counted <= len(answered) + 8
    assert len(admitted - answered - lost) <= counted - len(answered)
