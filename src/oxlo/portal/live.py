"""Live data that is not in SQL; the control process supplies functions that query gateways."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from oxlo.store.calls import Call


@dataclass(frozen=True, slots=True)
class Load:
    """A replica's load as seen by a gateway."""

    model: str
    replica: str
    slots: int
    in_use: int


@dataclass(frozen=True, slots=True)
class Gateways:
    """Replicas and queues of this machine's gateways."""

    names: tuple[str, ...]
    loads: tuple[Load, ...]
    #: Queued requests by model.
    queues: dict[str, int]
    #: Requests in progress.
    running: int


async def _nothing() -> object:
    return None


async def _no_gateways() -> Gateways:
    return Gateways((), (), {}, 0)


@dataclass(frozen=True, slots=True)
class Live:
    """Functions of the process that serves pages; the defaults suit a process without gateways."""

    #: Moves the gateways' journals into SQL.
    drain: Callable[[], Awaitable[object]] = _nothing
    #: Queries the gateways of this machine.
    gateways: Callable[[], Awaitable[Gateways]] = _no_gateways
    #: One sentence: what happened to a request, and whether it counts.
    reason: Callable[[Call], str] = lambda call: call.outcome
