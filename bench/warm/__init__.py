"""Latency of the first request to each model after a start, idle time or an engine's replacement.

`oxlo serve` is started several times. Once it is ready, each model gets one request, then all
models in turn, twenty times. This repeats after an idle period and after each engine was replaced.
Finally, engines are replaced during traffic, and no request may wait for one to load. All requests
differ. The result is the median over the starts. The key is looked up first by a request without a
model, which is measured separately.
"""

import argparse
import contextlib
import itertools
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from statistics import median

import msgspec

from bench import machine, workload
from bench.calls import Refused
from bench.processes import Failed
from bench.warm import situations
from bench.warm.serving import ModelClient, Serving, serving
from bench.warm.situations import SITUATIONS, Meanwhile, Seen
from oxlo import catalogue
from oxlo.catalogue import Model
from oxlo.fleet.starter import STARTER

MOST = 1.2
MOUTH = "kokoro-82m"


class Round(msgspec.Struct, frozen=True):
    """The measurements of one start, by situation and model."""

    seen: dict[str, dict[str, Seen]]
    meanwhile: dict[str, Meanwhile]
    #: Additional milliseconds of the key's first use.
    key: float


def main(arguments: list[str]) -> int:
    """Measure, print and save the results; return 1 if a target was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench warm", description=__doc__)
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--models", default=",".join(STARTER["full"]), help="separated by commas")
    options = parser.parse_args(arguments)
    known = catalogue.load()
    models = [known.resolve(name) for name in options.models.split(",")]
    _before_others()
    try:
        recordings = _recordings(models)
        rounds = [_round(models, recordings, number) for number in range(options.starts)]
    except (Failed, Refused) as error:
        print(error, file=sys.stderr)
        return 1
    return _show(models, rounds)


def _before_others() -> None:
    """Raise the priority to reduce noise from other processes; needs root."""
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, -19)


def _recordings(models: list[Model]) -> list[bytes]:
    """Generate recordings with Kokoro, in a separate start."""
    if not any(workload.ability(model) == "transcription" for model in models):
        return []
    speaker = catalogue.load().resolve(MOUTH)
    with serving([MOUTH]) as ours, closing(ModelClient(ours.port, ours.key(), ())) as client:
        return [client.answer(call).body for call in workload.calls(speaker, ())]


def _round(models: list[Model], recordings: list[bytes], number: int) -> Round:
    with serving([model.id for model in models]) as ours, ExitStack() as stack:
        key = ours.key()
        with closing(ModelClient(ours.port, key, ())) as new_client:
            looked_up = new_client.key_lookup_ms()
        clients = {
            model.id: stack.enter_context(
                closing(ModelClient(ours.port, key, _calls(model, recordings, number * 5)))
            )
            for model in models
        }
        seen = _situations(ours, clients)
        return Round(
            dict(zip(SITUATIONS, seen, strict=True)),
            {model: situations.meanwhile(ours, model, client) for model, client in clients.items()},
            looked_up,
        )


def _situations(ours: Serving, clients: dict[str, ModelClient]) -> Iterator[dict[str, Seen]]:
    yield situations.after_start(clients)
    yield situations.after_idle(clients)
    yield situations.after_replacement(ours, clients)


def _calls(model: Model, recordings: list[bytes], begin: int) -> Iterator[workload.Call]:
    """Iterate over requests endlessly, from index `begin`."""
    for series in itertools.count():
        calls = workload.calls(model, recordings, series)
        yield from calls[begin % len(calls) :] + calls[: begin % len(calls)]


def _show(models: list[Model], rounds: list[Round]) -> int:
    head = f"ms, {len(rounds)} starts"
    print(
        f"{head:24} {'ability':>14} {'after':>12} {'first':>8} {'later':>8}"
        f" {'ratio':>6} {'from':>6} {'to':>6}"
    )
    missed = sum(_row(m, after, rounds) for m in models for after in SITUATIONS)
    print(f"\n{'while it is replaced':24} {'calls':>8} {'waited':>8} {'refused':>8} {'slowest':>8}")
    missed += sum(_replaced(model.id, rounds) for model in models)
    print(f"a key's first use: {median(r.key for r in rounds):.1f} ms more, once for each gateway")
    print(f"kept in {machine.save('warm', rounds)}")
    return 1 if missed else 0


def _row(model: Model, after: str, rounds: list[Round]) -> bool:
    """Print a line of the table; return whether the target was missed."""
    seen = [each.seen[after][model.id] for each in rounds]
    ratios = sorted(one.ratio for one in seen)
    met = median(ratios) <= MOST
    print(
        f"{model.id:24} {workload.ability(model):>14} {after:>12}"
        f" {median(one.first for one in seen):8.1f}"
        f" {median(median(one.later) for one in seen):8.1f}"
        f" {median(ratios):6.2f} {ratios[0]:6.2f} {ratios[-1]:6.2f}"
        f"  at most {MOST:g}: {'met' if met else 'MISSED'}"
    )
    return not met


def _replaced(model: str, rounds: list[Round]) -> bool:
    """Print a line of the second table; return whether a request waited or was refused."""
    seen = [each.meanwhile[model] for each in rounds]
    calls, waited, refused = (
        sum(getattr(one, name) for one in seen) for name in ("calls", "waited", "refused")
    )
    met = not waited and not refused
    print(
        f"{model:24} {calls:8} {waited:8} {refused:8} {max(one.slowest for one in seen):8.1f}"
        f"  none may wait: {'met' if met else 'MISSED'}"
    )
    return not met
