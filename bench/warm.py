"""The first call to each model after a start, beside the twenty that follow.

`oxlo serve` is started anew several times. Once it says that it is ready, each model is asked once;
then all of them in turns, twenty times. No two calls are the same. What counts is the median over
the starts. The key was looked up before by a call to no model; what that takes is told, too.
"""

import argparse
import http.client
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import msgspec

from bench import asking, engines, machine
from bench.calls import Refused
from bench.processes import Failed, Process, free_port
from oxlo import catalogue
from oxlo.catalogue import Model
from oxlo.fleet.starter import STARTER

MOST = 1.2
LATER = 20
MOUTH = "kokoro-82m"


class Start(msgspec.Struct, frozen=True):
    """One model after one start: milliseconds of its first call, and of those after it."""

    first: float
    later: list[float]

    @property
    def ratio(self) -> float:
        return self.first / median(self.later)


@dataclass(frozen=True)
class Serving:
    """A running `oxlo serve`."""

    port: int
    env: dict[str, str]

    def key(self) -> str:
        """Of an account that has made no call yet."""
        self.cli("accounts", "create", "bench", "--plan", "enterprise")
        return self.cli("keys", "create", "--account", "bench", "--quiet")

    def cli(self, *arguments: str) -> str:
        command = [sys.executable, "-m", "oxlo", *arguments]
        done = subprocess.run(command, env=self.env, capture_output=True, text=True)
        if done.returncode:
            raise Failed(f"oxlo {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout.strip()


class Asker:
    """Makes the calls to one model, on a connection that is kept."""

    def __init__(self, port: int, key: str, calls: Sequence[asking.Call], begin: int) -> None:
        """`begin`: which of the calls comes first."""
        self._connection = http.client.HTTPConnection("127.0.0.1", port)
        self._connection.connect()
        self._key = key
        self._calls = iter([*calls[begin:], *calls[:begin]])

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def milliseconds(self) -> float:
        """The next call, until all of its answer is there. Raises Refused."""
        return self._seconds(next(self._calls)) * 1000

    def _seconds(self, call: asking.Call) -> float:
        began = time.perf_counter()
        self.answer(call)
        return time.perf_counter() - began

    def looked_up(self) -> float:
        """Milliseconds that the key's first use takes longer than its next ones."""
        first, *others = (self._seconds(asking.LIMITS) for _ in range(1 + LATER))
        return (first - median(others)) * 1000

    def answer(self, call: asking.Call) -> bytes:
        """The reply's body. Raises Refused."""
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": call.kind}
        self._connection.request(call.method, call.path, call.content, headers)
        with self._connection.getresponse() as reply:
            body = reply.read()
            if reply.status != 200:
                raise Refused(body[:500].decode(errors="replace"))
        return body


def main(arguments: list[str]) -> int:
    """Measure, print and keep the result; 1 when a target was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench warm", description=__doc__)
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--models", default=",".join(STARTER["full"]), help="separated by commas")
    options = parser.parse_args(arguments)
    known = catalogue.load()
    models = [known.resolve(name) for name in options.models.split(",")]
    try:
        starts, keys = _measure(models, options.starts)
    except (Failed, Refused) as error:
        print(error, file=sys.stderr)
        return 1
    return _show(models, starts, keys)


def _measure(models: list[Model], starts: int) -> tuple[dict[str, list[Start]], list[float]]:
    """Each model's starts, and the milliseconds of a key's first use in each."""
    recordings = _recordings(models)
    calls = {model.id: asking.calls(model, recordings) for model in models}
    found: dict[str, list[Start]] = {model: [] for model in calls}
    keys = []
    for number in range(starts):
        with serving(list(calls)) as ours:
            key = ours.key()
            with closing(Asker(ours.port, key, (), 0)) as stranger:
                keys.append(stranger.looked_up())
            for model, start in _start(ours, key, calls, number * 5 % len(asking.NOUNS)).items():
                found[model].append(start)
    return found, keys


def _recordings(models: list[Model]) -> list[bytes]:
    """What listeners hear, said by Kokoro in a start of its own."""
    if not any(asking.ability(model) == "transcription" for model in models):
        return []
    speaker = catalogue.load().resolve(MOUTH)
    with serving([MOUTH]) as ours, closing(Asker(ours.port, ours.key(), (), 0)) as asker:
        return [asker.answer(call) for call in asking.calls(speaker, ())]


def _start(
    ours: Serving, key: str, calls: dict[str, list[asking.Call]], begin: int
) -> dict[str, Start]:
    with ExitStack() as stack:
        askers = {
            model: stack.enter_context(closing(Asker(ours.port, key, own, begin)))
            for model, own in calls.items()
        }
        firsts = {model: asker.milliseconds() for model, asker in askers.items()}
        later = [
            {model: asker.milliseconds() for model, asker in askers.items()} for _ in range(LATER)
        ]
    return {m: Start(first, [turn[m] for turn in later]) for m, first in firsts.items()}


@contextmanager
def serving(models: Sequence[str]) -> Iterator[Serving]:
    """`oxlo serve` on an empty home, once it says that it is ready. Raises Failed."""
    for model in models:
        engines.files(model)
    with tempfile.TemporaryDirectory(prefix="oxlo-bench-") as name:
        home = Path(name)
        (home / "weights").symlink_to(engines.cache())
        port = free_port()
        env = {k: v for k, v in os.environ.items() if not k.startswith("OXLO_")}
        env |= {"OXLO_HOME": name, "OXLO_PORT": str(port), "OXLO_MODELS": ",".join(models)}
        command = [sys.executable, "-m", "oxlo", "serve"]
        with Process(command, home / "serve.log", None, env) as process:
            _wait(process)
            yield Serving(port, env)


def _wait(process: Process, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        process.check()
        said = process.log.read_text()
        if "Not ready: " in said:
            raise Failed(said.partition("Not ready: ")[2])
        if "Ready after " in said:
            return
        time.sleep(0.05)
    raise Failed(f"not ready in {seconds:.0f} s: {process.last_words()}")


def _show(models: list[Model], starts: dict[str, list[Start]], keys: list[float]) -> int:
    count = len(next(iter(starts.values())))
    head = f"ms, {count} starts"
    print(f"{head:24} {'ability':>14} {'first':>8} {'later':>8} {'ratio':>6} {'from':>6} {'to':>6}")
    missed = 0
    for model in models:
        ratios = sorted(start.ratio for start in starts[model.id])
        first = median(start.first for start in starts[model.id])
        later = median(median(start.later) for start in starts[model.id])
        met = median(ratios) <= MOST
        missed += not met
        print(
            f"{model.id:24} {asking.ability(model):>14} {first:8.1f} {later:8.1f}"
            f" {median(ratios):6.2f} {ratios[0]:6.2f} {ratios[-1]:6.2f}"
            f"  at most {MOST:g}: {'met' if met else 'MISSED'}"
        )
    print(f"a key's first use: {median(keys):.1f} ms more, once for each key and gateway")
    print(f"kept in {machine.save('warm', {'starts': starts, 'keys': keys})}")
    return 1 if missed else 0
