"""What pages show that is not in SQL: lent by the control process, which may ask gateways."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from oxlo.store.calls import Call


@dataclass(frozen=True, slots=True)
class Load:
    """One replica as a gateway sees it now."""

    model: str
    replica: str
    slots: int
    in_use: int


@dataclass(frozen=True, slots=True)
class Gateways:
    """The gateways of this machine: replicas, and who waits for which model."""

    names: tuple[str, ...]
    loads: tuple[Load, ...]
    #: Waiting calls by model.
    queues: dict[str, int]
    #: Calls under way.
    running: int


async def _nothing() -> object:
    return None


async def _no_gateways() -> Gateways:
    return Gateways((), (), {}, 0)


@dataclass(frozen=True, slots=True)
class Live:
    """Functions of the process that pages run in; the defaults stand for a process without."""

    #: Moves what gateways have journalled into SQL.
    drain: Callable[[], Awaitable[object]] = _nothing
    #: Asks the gateways of this machine.
    gateways: Callable[[], Awaitable[Gateways]] = _no_gateways
    #: One sentence: what happened to a call, and whether it counts.
    reason: Callable[[Call], str] = lambda call: call.outcome
