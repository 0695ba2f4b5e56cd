"""The routing policies: ours, two simple ones, a pinned one, and two routers written in Rust."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from bench.chats import Place
from bench.installation import installation
from bench.longcontext.calls import Call
from bench.overhead.peers import SGLANG_ROUTER, VLLM_ROUTER
from bench.overhead.venvs import program
from bench.processes import Process, free_port
from oxlo.fleet.registry import Replica


class Way:
    """A routing policy."""

    def place(self, call: Call) -> Place:
        """Choose the server for a request."""
        raise NotImplementedError

    def done(self, place: Place) -> None:
        """Record that a request was answered."""


class Behind(Way):
    """A router in front of the engines chooses."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def place(self, call: Call) -> Place:
        """Return the router's address."""
        return self._place


class RoundRobin(Way):
    """Round robin."""

    def __init__(self, places: Sequence[Place]) -> None:
        self._places = places
        self._count = 0

    def place(self, call: Call) -> Place:
        """Return the next engine."""
        self._count += 1
        return self._places[self._count % len(self._places)]


class LeastLoaded(Way):
    """The engine with the fewest requests; ties are broken in turn."""

    def __init__(self, places: Sequence[Place]) -> None:
        self._running = {place.name: 0 for place in places}
        self._places = list(places)

    def place(self, call: Call) -> Place:
        """Return the least loaded engine."""
        chosen = min(self._places, key=lambda place: self._running[place.name])
        self._running[chosen.name] += 1
        self._places.remove(chosen)
        self._places.append(chosen)
        return chosen

    def done(self, place: Place) -> None:
        """Decrease the engine's load."""
        self._running[place.name] -= 1


class Pinned(Way):
    """Each document is assigned to an engine in advance, as a reference."""

    def __init__(self, places: Sequence[Place]) -> None:
        self._places = places

    def place(self, call: Call) -> Place:
        """Return the document's engine."""
        return self._places[call.document % len(self._places)]


Start = Callable[[Sequence[Replica]], AbstractContextManager[Way]]


def _places(replicas: Sequence[Replica]) -> list[Place]:
    return [Place(r.id, urlsplit(r.address).port or 80, r.api_key or "none") for r in replicas]


def _simple(kind: Callable[[Sequence[Place]], Way]) -> Start:
    @contextmanager
    def start(replicas: Sequence[Replica]) -> Iterator[Way]:
        yield kind(_places(replicas))

    return start


@contextmanager
def _oxlo(replicas: Sequence[Replica]) -> Iterator[Way]:
    with tempfile.TemporaryDirectory(prefix="oxlo-bench-") as folder:
        home = Path(folder) / "oxlo"
        home.mkdir()
        with installation(home, (), replicas, pinned=False) as ours:
            yield Behind(Place("oxlo", ours.port, ours.key))


def _router(name: str, version: str, first: tuple[str, ...], *options: str) -> Start:
    """Run a router with its own prefix-aware policy and default thresholds."""

    @contextmanager
    def start(replicas: Sequence[Replica]) -> Iterator[Way]:
        port, metrics = free_port(), free_port()
        command: list[str | Path] = [program(name, f"{name}=={version}"), *first]
        command += ["--host", "127.0.0.1", "--port", str(port), "--prometheus-port", str(metrics)]
        command += ["--policy", "cache_aware", "--log-level", "error", *options, "--worker-urls"]
        command += [replica.address for replica in replicas]
        with (
            tempfile.TemporaryDirectory(prefix="oxlo-bench-") as folder,
            Process(command, Path(folder) / "log", None) as process,
        ):
            process.wait_for_port(port)
            yield Behind(Place(name, port, "none"))

    return start


WAYS: dict[str, Start] = {
    "oxlo": _oxlo,
    "sglang-router": _router("sglang-router", SGLANG_ROUTER, ("launch",), "--disable-health-check"),
    "vllm-router": _router("vllm-router", VLLM_ROUTER, ()),
    "least loaded": _simple(LeastLoaded),
    "round robin": _simple(RoundRobin),
    "pinned": _simple(Pinned),
}
