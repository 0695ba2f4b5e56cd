"""SSE comments: clients skip them, people who look at the bytes understand them."""

import math
from typing import Any, Final

from oxlo.queue import ModelQueue

WORKING: Final = b": the model is working\n\n"


def waiting(queue: ModelQueue[Any], item: Any, now: float, shared: int) -> bytes:
    """For a call that stands in a queue: its place, and about how long that is.

    `shared` is its place in the line of several gateways, 0 where there is none. The time goes by
    the slots that calls of this gateway were given, so it is that of the shared line already.
    """
    place = shared or queue.place(item, now)
    seconds = math.ceil(queue.expected_wait(item, now))
    return b": waiting for the model, place %d, about %d s\n\n" % (place, seconds)
