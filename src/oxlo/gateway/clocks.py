"""The clocks used by all parts of a gateway."""

import time
from collections.abc import Callable


class Clocks:
    """Two clocks, which tests replace."""

    def __init__(self, clock: Callable[[], float]) -> None:
        #: Monotonic seconds, for durations; and UTC seconds, for windows and receipts.
        self.clock: Callable[[], float] = clock
        self.wall: Callable[[], float] = time.time
