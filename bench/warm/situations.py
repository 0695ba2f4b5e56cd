"""Situations in which a model's next request may be slower than later ones."""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from statistics import median

import msgspec

from bench.calls import Refused
from bench.warm.serving import IDLE, ModelClient, Serving

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


Clients = Mapping[str, ModelClient]


def after_start(clients: Clients) -> dict[str, Seen]:
    """Send one request to each model, then to all in turn."""
    firsts = {model: client.next().took for model, client in clients.items()}
    turns = [{model: client.next().took for model, client in clients.items()} for _ in range(LATER)]
    return {m: Seen(first, [turn[m] for turn in turns]) for m, first in firsts.items()}


def after_idle(clients: Clients) -> dict[str, Seen]:
    """The same after an idle period, with the clients' connections closed."""
    time.sleep(QUIET)
    for client in clients.values():
        client.close()
    return after_start(clients)


def after_replacement(ours: Serving, clients: Clients) -> dict[str, Seen]:
    """The same after replacing all engines. Raises Failed."""
    for model in clients:
        ours.cli("fleet", "restart", model)
    for client in clients.values():
        client.close()
    return after_start(clients)


def meanwhile(ours: Serving, model: str, client: ModelClient) -> Meanwhile:
    """Send requests to a model while its engine is replaced. Raises Failed."""
    replies, refused = [], 0
    client.close()
    with closing(client), ThreadPoolExecutor(1) as pool:
        restart = pool.submit(ours.cli, "fleet", "restart", model)
        while not restart.done():
            try:
                replies.append(client.next())
            except Refused:
                refused += 1
        restart.result()
    waited = sum(reply.queued >= WAITED for reply in replies)
    slowest = max((reply.took for reply in replies), default=0.0)
    return Meanwhile(len(replies) + refused, waited, refused, slowest)
