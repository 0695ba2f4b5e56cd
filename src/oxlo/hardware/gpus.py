"""The GPUs of this machine, as their driver tells them."""

import subprocess
from collections.abc import Iterator

from oxlo.hardware.sizing import Gpu

_QUERY = ("nvidia-smi", "--query-gpu=index,uuid,name,memory.total", "--format=csv,noheader,nounits")
#: Seconds; a driver that has to wake its cards first takes a few.
_PATIENCE = 30


def here(visible: str | None = None) -> tuple[Gpu, ...]:
    """The cards that this process may use; none where there is no driver.

    `visible` is what CUDA_VISIBLE_DEVICES says; None: all.
    """
    try:
        run = subprocess.run(_QUERY, capture_output=True, text=True, check=True, timeout=_PATIENCE)
    except (OSError, subprocess.SubprocessError):
        return ()
    return read(run.stdout, visible)


def read(listing: str, visible: str | None = None) -> tuple[Gpu, ...]:
    """The cards in what nvidia-smi printed, in the order in which they are visible."""
    cards: dict[str, Gpu] = {}
    for line in listing.splitlines():
        index, uuid, name, memory = (part.strip() for part in line.split(","))
        if memory.isdigit():  # a card that has failed has none
            cards[uuid] = Gpu(int(index), name, int(memory))
    return tuple(cards.values()) if visible is None else tuple(_visible(cards, visible))


def _visible(cards: dict[str, Gpu], visible: str) -> Iterator[Gpu]:
    """As CUDA itself reads the variable: numbers or beginnings of UUIDs, up to one it lacks."""
    for wish in filter(None, (part.strip() for part in visible.split(","))):
        found = [g for uuid, g in cards.items() if wish == str(g.index) or uuid.startswith(wish)]
        if not found:
            return
        yield found[0]
