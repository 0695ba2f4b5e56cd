"""Situations in which a model's next request may be slower than later ones."""

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
#: Idle seconds, long enough for everything that is closed or released when idle.
QUIET = 15.0
#: Queue time in milliseconds that counts as waiting for an engine, as there is no other traffic.
WAITED = 10.0

assert QUIET > 3 * IDLE


class Seen(msgspec.Struct, frozen=True):
    """A model in a situation: milliseconds of the first request, and of later ones."""

    first: float
    later: list[float]

    @property
    def ratio(self) -> float:
        return self.first / median(self.later)


class Meanwhile(msgspec.Struct, frozen=True):
    """Sequential requests to a model while its engine is replaced."""

    calls: int
    waited: int
    refused: int
    #: In milliseconds.
    slowest: float


Askers = Mapping[str, Asker]


def after_start(askers: Askers) -> dict[str, Seen]:
    """Send one request to each model, then to all in turn."""
    firsts = {model: asker.next().took for model, asker in askers.items()}
    turns = [{model: asker.next().took for model, asker in askers.items()} for _ in range(LATER)]
    return {m: Seen(first, [turn[m] for turn in turns]) for m, first in firsts.items()}


def after_idle(askers: Askers) -> dict[str, Seen]:
    """The same after an idle period, with the clients' connections closed."""
    time.sleep(QUIET)
    for asker in askers.values():
        asker.close()
    return after_start(askers)


def after_replacement(ours: Serving, askers: Askers) -> dict[str, Seen]:
    """The same after replacing all engines. Raises Failed."""
    for model in askers:
        ours.cli("fleet", "restart", model)
    for asker in askers.values():
        asker.close()
    return after_start(askers)


def meanwhile(ours: Serving, model: str, asker: Asker) -> Meanwhile:
    """Send requests to a model while its engine is replaced. Raises Failed."""
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
