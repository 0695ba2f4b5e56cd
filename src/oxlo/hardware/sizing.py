"""Sizing an engine to its part of the machine. Pure, so that `oxlo doctor` can explain it."""

from dataclasses import dataclass, replace

#: Default context per slot: enough for long chats at little memory.
DEFAULT_CONTEXT = 8192
_LEAST_CONTEXT = 1024
#: llama.cpp refuses a request for more choices than it has slots; the API allows five.
_MOST_CHOICES = 5
#: Share of an engine's memory for its KV cache; the rest is for weights and scratch buffers.
_CONTEXT_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU."""

    #: Its index on this machine, in PCI bus order.
    index: int
    #: Its driver's name for it: `NVIDIA L40S`.
    name: str
    memory_mb: int


@dataclass(frozen=True, slots=True)
class Machine:
    """The resources that one engine may use."""

    cores: int
    memory_mb: int
    #: All GPUs; for one engine, those assigned to it.
    gpus: tuple[Gpu, ...] = ()

    def shared(self, engines: int) -> "Machine":
        """An equal part for each of `engines`: more threads than cores only slow them down."""
        parts = max(1, engines)
        return replace(self, cores=max(1, self.cores // parts), memory_mb=self.memory_mb // parts)


@dataclass(frozen=True, slots=True)
class Size:
    """Threads, slots and context length; 0: not decided."""

    threads: int = 0
    slots: int = 0
    context: int = 0


def decide(configured: Size, machine: Machine, longest: int, bytes_per_token: int) -> Size:
    """Fill in what `configured` leaves at 0.

    `longest` is the model's context length in tokens, `bytes_per_token` the size of its KV cache
    (0: unknown). Configured values stand even if memory looks short: the operator may know better.
    """
    size = Size(
        threads=configured.threads or _threads(machine.cores),
        slots=configured.slots or min(8, max(_MOST_CHOICES, 2 * machine.cores)),
        context=min(configured.context, longest)
        if configured.context
        else min(DEFAULT_CONTEXT, longest),
    )
    room = int(machine.memory_mb * 2**20 * _CONTEXT_SHARE)
    return _fit(size, configured, room // bytes_per_token) if bytes_per_token else size


def contexts(slots: int) -> int:
    """llama.cpp's slots: one for each of ours, and enough for the choices of one request."""
    return max(slots, _MOST_CHOICES)


def _threads(cores: int) -> int:
    """All cores of a small machine; on a larger one, one is left for other processes.

    llama.cpp's threads spin while they wait for each other, so one that is preempted delays all.
    """
    return cores - 1 if cores >= 4 else cores


def _fit(size: Size, configured: Size, tokens: int) -> Size:
    """Reduce slots first, then context: one long chat is worth more than two truncated ones."""
    while contexts(size.slots) * size.context > tokens:
        if size.slots > _MOST_CHOICES and not configured.slots:
            size = replace(size, slots=size.slots - 1)
        elif size.context > _LEAST_CONTEXT and not configured.context:
            size = replace(size, context=max(_LEAST_CONTEXT, size.context // 2))
        else:
            break
    return size
