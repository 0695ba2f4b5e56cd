"""SSE comments, ignored by clients but useful to people who read the raw stream."""

import math
from typing import Any, Final

from oxlo.queue import ModelQueue

WORKING: Final = b": the model is working\n\n"


def waiting(queue: ModelQueue[Any], item: Any, now: float, shared: int) -> bytes:
    """The comment for a queued call: its position and estimated wait.

    `shared` is its position in the queue shared by several gateways, or 0. The estimate uses the
    rate at which this gateway's calls get slots, so it already reflects the shared queue.
    """
    place = shared or queue.place(item, now)
    seconds = math.ceil(queue.expected_wait(item, now))
    return b": waiting for the model, place %d, about %d s\n\n" % (place, seconds)
