"""How much of the machine one engine gets; pure, so that `oxlo doctor` can explain it."""

from dataclasses import dataclass, replace

#: Context per slot when nobody says more: long chats fit, and a slot's memory stays small.
DEFAULT_CONTEXT = 8192
_LEAST_CONTEXT = 1024
#: llama.cpp refuses a call for more choices than it has slots, and an API call may ask for five.
_MOST_CHOICES = 5
#: Share of an engine's memory for its context; the rest is for weights and scratch space.
_CONTEXT_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Gpu:
    """One card."""

    #: Its number on this machine, in the order of the bus.
    index: int
    #: As its driver calls it: `NVIDIA L40S`.
    name: str
    memory_mb: int


@dataclass(frozen=True, slots=True)
class Machine:
    """What one engine may count on."""

    cores: int
    memory_mb: int
    #: The cards that are there; for one engine, those that it was given.
    gpus: tuple[Gpu, ...] = ()

    def shared(self, engines: int) -> "Machine":
        """An equal part for each of `engines`: threads beyond the cores only slow each other."""
        parts = max(1, engines)
        return replace(self, cores=max(1, self.cores // parts), memory_mb=self.memory_mb // parts)


@dataclass(frozen=True, slots=True)
class Size:
    """What was decided; 0 in a wish means: decide."""

    threads: int = 0
    slots: int = 0
    context: int = 0


def decide(wish: Size, machine: Machine, longest: int, bytes_per_token: int) -> Size:
    """Fill what `wish` leaves open.

    `longest` is the model's context in tokens, `bytes_per_token` what one token of context takes
    (0: unknown). Wishes stand even where memory looks short: the operator may know better.
    """
    size = Size(
        threads=wish.threads or _threads(machine.cores),
        slots=wish.slots or min(8, max(_MOST_CHOICES, 2 * machine.cores)),
        context=min(wish.context, longest) if wish.context else min(DEFAULT_CONTEXT, longest),
    )
    room = int(machine.memory_mb * 2**20 * _CONTEXT_SHARE)
    return _fit(size, wish, room // bytes_per_token) if bytes_per_token else size


def contexts(slots: int) -> int:
    """Contexts that an engine holds: one to a slot, and enough for the choices of one call."""
    return max(slots, _MOST_CHOICES)


def _threads(cores: int) -> int:
    """All cores of a small machine; of a larger one, all but the one that the rest needs.

    llama.cpp's threads wait for each other by spinning: one that another program keeps off its
    core holds up all of them.
    """
    return cores - 1 if cores >= 4 else cores


def _fit(size: Size, wish: Size, tokens: int) -> Size:
    """Fewer slots first, then a shorter context: one long chat is worth more than two cut ones."""
    while contexts(size.slots) * size.context > tokens:
        if size.slots > _MOST_CHOICES and not wish.slots:
            size = replace(size, slots=size.slots - 1)
        elif size.context > _LEAST_CONTEXT and not wish.context:
            size = replace(size, context=max(_LEAST_CONTEXT, size.context // 2))
        else:
            break
    return size
