"""The kinds of GPU for which the catalogue has variants."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Card:
    """One kind of GPU."""

    #: MiB, as its driver reports it; of the usual size, if there are several.
    memory_mb: int


#: From the smallest to the largest.
CARDS = {
    "t4": Card(15_360),
    "l40s": Card(46_068),
    "a100": Card(81_920),
    "h200": Card(143_771),
}
