"""When a model's next call might be slower than those after it, and how much it is."""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from statistics import median

import msgspec

from bench.calls import Refused
from bench.warm.serving import IDLE, Asker, Serving

SITUATIONS = ("start", "idle", "replacement")
LATER = 20
#: Seconds without a call: for everything that is closed or given back when nothing is to do.
QUIET = 15.0
#: Milliseconds in the queue from which a call waited: nobody else calls, so for an engine.
WAITED = 10.0

assert QUIET > 3 * IDLE


class Seen(msgspec.Struct, frozen=True):
    """One model in one situation: milliseconds of its first call, and of those after it."""

    first: float
    later: list[float]

    @property
    def ratio(self) -> float:
        return self.first / median(self.later)


class Meanwhile(msgspec.Struct, frozen=True):
    """Calls to a model, one after the other, while its engine is replaced."""

    calls: int
    waited: int
    refused: int
    #: Milliseconds.
    slowest: float


Askers = Mapping[str, Asker]


def after_start(askers: Askers) -> dict[str, Seen]:
    """Each model once; then all of them in turns."""
    firsts = {model: asker.next().took for model, asker in askers.items()}
    turns = [{model: asker.next().took for model, asker in askers.items()} for _ in range(LATER)]
    return {m: Seen(first, [turn[m] for turn in turns]) for m, first in firsts.items()}


def after_idle(askers: Askers) -> dict[str, Seen]:
    """The same when nobody has called for a while, and the clients' connections are closed."""
    time.sleep(QUIET)
    for asker in askers.values():
        asker.close()
    return after_start(askers)


def after_replacement(ours: Serving, askers: Askers) -> dict[str, Seen]:
    """The same with new engines in place of the old ones. Raises Failed."""
    for model in askers:
        ours.cli("fleet", "restart", model)
    for asker in askers.values():
        asker.close()
    return after_start(askers)


def meanwhile(ours: Serving, model: str, asker: Asker) -> Meanwhile:
    """Call a model while its engine is replaced. Raises Failed."""
    replies, refused = [], 0
    asker.close()
    with closing(asker), ThreadPoolExecutor(1) as pool:
        restart = pool.submit(ours.cli, "fleet", "restart", model)
        while not restart.done():
            try:
                replies.append(asker.next())
            except Refused:
                refused += 1
        restart.result()
    waited = sum(reply.queued >= WAITED for reply in replies)
    slowest = max((reply.took for reply in replies), default=0.0)
    return Meanwhile(len(replies) + refused, waited, refused, slowest)
