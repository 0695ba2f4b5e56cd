"""The kinds of GPU that the catalogue knows."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Card:
    """One kind of GPU."""

    #: What the driver calls it contains this.
    name: str
    #: As the driver shows it, in MiB; of several models of the name, the one that is meant here.
    memory_mb: int


CARDS = {
    "t4": Card("T4", 15_360),
    "l40s": Card("L40S", 46_068),
    "a100": Card("A100", 81_920),
    "h200": Card("H200", 143_771),
}
