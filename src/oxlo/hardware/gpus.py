"""The GPUs of this machine, as nvidia-smi reports them."""

import subprocess
from collections.abc import Iterator

from oxlo.hardware.sizing import Gpu

_QUERY = ("nvidia-smi", "--query-gpu=index,uuid,name,memory.total", "--format=csv,noheader,nounits")
#: Timeout in seconds; a driver without persistence mode takes a few to initialise its GPUs.
_PATIENCE = 30


def here(visible: str | None = None) -> tuple[Gpu, ...]:
    """The GPUs that this process may use; none without a driver.

    `visible` is the value of CUDA_VISIBLE_DEVICES; None: all.
    """
    try:
        run = subprocess.run(_QUERY, capture_output=True, text=True, check=True, timeout=_PATIENCE)
    except (OSError, subprocess.SubprocessError):
        return ()
    return read(run.stdout, visible)


def read(listing: str, visible: str | None = None) -> tuple[Gpu, ...]:
    """Parse the output of nvidia-smi; GPUs are in the order of `visible`."""
    cards: dict[str, Gpu] = {}
    for line in listing.splitlines():
        index, uuid, name, memory = (part.strip() for part in line.split(","))
        if memory.isdigit():  # a failed GPU reports no memory
            cards[uuid] = Gpu(int(index), name, int(memory))
    return tuple(cards.values()) if visible is None else tuple(_visible(cards, visible))


def _visible(cards: dict[str, Gpu], visible: str) -> Iterator[Gpu]:
    """As CUDA interprets it: indices or prefixes of UUIDs, up to the first unknown one."""
    for name in filter(None, (part.strip() for part in visible.split(","))):
        found = [g for uuid, g in cards.items() if name == str(g.index) or uuid.startswith(name)]
        if not found:
            return
        yield found[0]
