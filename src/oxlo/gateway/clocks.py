"""What time it is, for all parts of a gateway."""

import time
from collections.abc import Callable


class Clocks:
    """Two clocks; tests put their own in their place."""

    def __init__(self, clock: Callable[[], float]) -> None:
        #: Seconds that only ever grow, for durations; and UTC seconds, for windows and receipts.
        self.clock: Callable[[], float] = clock
        self.wall: Callable[[], float] = time.time
