"""Large uploads beside small chats: how much later do the small ones get their answers?

Small chats go to a fake engine in C, one after the other, every few milliseconds. Beside them, in
every other phase, chats with a picture of 25 MB are uploaded without a pause. What is told is the
difference between the phases; who goes first takes turns.
"""

import argparse
import base64
import io
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from statistics import median, quantiles

import msgspec
from PIL import Image

from bench import machine
from bench.calls import Caller, Refused
from bench.installation import Installation, installation
from bench.overhead.engine import engine, model
from bench.processes import Failed, Process, free_port, run_first
from oxlo.fleet.registry import Replica, ReplicaState

PATH = "/v1/chat/completions"
SMALL, SEER = model("openai"), "seer"
#: Pixels on a side of a picture of noise that is 25 MB of JSON, in base64.
SIDE = 2495
PAUSE = 0.002
#: Milliseconds that the slowest small chat may take longer because of the uploads.
MOST_MS = 10.0


class Phase(msgspec.Struct, frozen=True):
    """Milliseconds of each small chat, and the uploads that were answered meanwhile."""

    uploads: int
    took_ms: list[float]

    @property
    def slowest(self) -> float:
        return max(self.took_ms)


class Round(msgspec.Struct, frozen=True):
    """The same without uploads, and beside them."""

    alone: Phase
    beside: Phase


def main(arguments: list[str]) -> int:
    """Measure, print and keep the result; 1 when the target was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench media", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each phase")
    options = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory(prefix="oxlo-bench-") as name, _ours(Path(name)) as ours:
            rounds = _measure(ours, options.rounds, options.seconds)
    except (Failed, Refused) as error:
        print(error, file=sys.stderr)
        return 1
    return _show(rounds)


@contextmanager
def _ours(folder: Path) -> Iterator[Installation]:
    """The platform before two engines: a quick one, and one that takes pictures."""
    home, port = folder / "oxlo", free_port()
    home.mkdir()
    command = ("-m", "oxlo.testing.engine", "--port", str(port), "--model", SEER)
    with (
        engine(folder / "engine") as quick,
        # What stands for an engine may not take the CPU from what is measured.
        Process(["nice", "-n", "19", sys.executable, *command], folder / "seer.log", None) as seer,
    ):
        quick.process.first()
        seer.wait_for_port(port)
        replicas = [_replica(SMALL, quick.address), _replica(SEER, f"http://127.0.0.1:{port}")]
        abilities = ("chat", "vision")
        with installation(
            home, (SMALL, SEER), replicas, pinned=False, abilities=abilities, media=True
        ) as ours:
            yield ours


def _replica(name: str, address: str) -> Replica:
    return Replica(
        id=name,
        model=name,
        kind="upstream",
        dialect="openai",
        address=address,
        engine_model=name,
        slots=4,
        context_length=131_072,
        state=ReplicaState.READY,
        since=time.time(),
    )


def _measure(ours: Installation, rounds: int, seconds: float) -> list[Round]:
    upload = _picture()
    print(f"uploads of {len(upload) / 1e6:.1f} MB", flush=True)
    small = _chat(SMALL, "Hi.")
    if not (ours.gateway.first() and run_first()):
        print("no right to run first: what else runs on this machine counts too")
    with Caller(ours.port, ours.key, PATH) as caller:
        _phase(caller, small, 1.0)
        return [_round(ours, caller, small, upload, seconds, number) for number in range(rounds)]


def _round(
    ours: Installation, caller: Caller, small: bytes, upload: bytes, seconds: float, number: int
) -> Round:
    def beside() -> Phase:
        with _uploading(ours, upload) as done:
            before = done.value
            took = _phase(caller, small, seconds)
            return Phase(done.value - before, took)

    def alone() -> Phase:
        return Phase(0, _phase(caller, small, seconds))

    if number % 2:
        return Round(beside=beside(), alone=alone())
    return Round(alone=alone(), beside=beside())


def _phase(caller: Caller, body: bytes, seconds: float) -> list[float]:
    took, end = [], time.perf_counter() + seconds
    while (began := time.perf_counter()) < end:
        caller.call(body)
        took.append((time.perf_counter() - began) * 1e3)
        time.sleep(PAUSE)
    return took


@contextmanager
def _uploading(ours: Installation, body: bytes) -> Iterator["Synchronized[int]"]:
    """Upload without a pause, in a process of its own; the number of answers. Raises Failed."""
    context = multiprocessing.get_context("fork")
    done, stop = context.Value("i", 0), context.Event()
    uploader = context.Process(target=_upload, args=(ours, body, done, stop))
    uploader.start()
    try:
        while not done.value and uploader.is_alive():  # the first one warms everything up
            time.sleep(0.01)
        yield done
    finally:
        stop.set()
        uploader.join()
    if uploader.exitcode:
        raise Failed("an upload was refused; what it was told is above")


def _upload(ours: Installation, body: bytes, done: "Synchronized[int]", stop: object) -> None:
    os.nice(10)  # what loads may not take the CPU from what is measured
    with Caller(ours.port, ours.key, PATH) as caller:
        while not stop.is_set():  # type: ignore[attr-defined]
            caller.call(body)
            done.value += 1


def _picture() -> bytes:
    """A chat with a picture of noise, which no coder makes smaller."""
    out = io.BytesIO()
    noise = Image.frombytes("RGB", (SIDE, SIDE), os.urandom(SIDE * SIDE * 3))
    noise.save(out, "PNG", compress_level=0)
    uri = "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()
    return _chat(SEER, [{"type": "image_url", "image_url": {"url": uri}}])


def _chat(name: str, content: object) -> bytes:
    messages = [{"role": "user", "content": content}]
    return msgspec.json.encode({"model": name, "messages": messages, "max_tokens": 64})


def _show(rounds: Sequence[Round]) -> int:
    print(f"{'small chats':<16}{'number':>8}{'p50 ms':>9}{'p99 ms':>9}{'slowest ms':>12}")
    for name, phases in (
        ("alone", [one.alone for one in rounds]),
        ("beside uploads", [one.beside for one in rounds]),
    ):
        took = [ms for phase in phases for ms in phase.took_ms]
        cuts = quantiles(took, n=100)
        slowest = median(phase.slowest for phase in phases)
        print(f"{name:<16}{len(took):>8,}{cuts[49]:>9.2f}{cuts[98]:>9.2f}{slowest:>12.2f}")
    added = median(one.beside.slowest - one.alone.slowest for one in rounds)
    met = added <= MOST_MS
    uploads = sum(one.beside.uploads for one in rounds)
    print(f"{uploads} uploads were answered meanwhile; 'slowest' is the median of {len(rounds)}")
    print(f"added to the slowest: {added:.2f} ms (at most {MOST_MS:g}): {_verdict(met)}")
    print(f"kept in {machine.save('media', rounds)}")
    return 0 if met else 1


def _verdict(met: bool) -> str:
    return "met" if met else "MISSED"
